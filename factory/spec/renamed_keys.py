"""Former names of spec fields, for a hint in the error about an unknown field.

A block is the dotted path of its fields (`train`), `role:kind` for the fields of a plugin, or `endpoint` for any
endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping

PROMPT_FIELDS = {"budget": "max_prompt_tokens", "new_tokens": "max_new_tokens", "tries": "validation_rows"}
RENAMED_KEYS: Mapping[str, Mapping[str, str]] = {
    "budget": {"money": "cost", "wall": "wall_time"},
    "contender:frontier": PROMPT_FIELDS,
    "contender:knn": {"sharpness": "inverse_temperature"},
    "contender:prompted": PROMPT_FIELDS,
    "contender:prompted-unguarded": PROMPT_FIELDS,
    "contender:tfidf": {"pieces": "max_char_ngram", "strength": "svm_c", "words": "max_word_ngram"},
    "curator:active": {"on": "text_columns"},
    "curator:characters": {
        "letters": "min_letter_ratio", "misread": "drop_mojibake", "odd": "max_nonprintable_ratio",
        "on": "text_columns",
    },
    "curator:conflicts": {"answer": "answer_columns", "on": "input_columns"},
    "curator:empty": {"on": "text_columns"},
    "curator:exact": {"on": "text_columns"},
    "curator:label-noise": {"on": "text_columns"},
    "curator:language": {"on": "text_columns", "sure": "min_confidence"},
    "curator:length": {"least": "min", "most": "max", "on": "text_columns"},
    "curator:near": {"chains": "transitive", "on": "text_columns"},
    "curator:pii": {"fields": "text_columns", "names": "spacy_model"},
    "curator:repetition": {"on": "text_columns", "scale": "limit_scale", "words": "min_words"},
    "curator:semantic": {"chains": "transitive", "on": "text_columns"},
    "curator:truncated": {"most": "min_finished_ratio", "on": "text_columns"},
    "data.leakage": {"near": "jaccard", "on": "columns", "semantic": "cosine"},
    "data.preflight": {
        "conflict": "conflicting_answers", "lost": "answer_truncated", "rare": "rare_label", "unended": "missing_eos",
        "unlike": "prompt_mismatch", "unsupervised": "no_supervised_tokens",
    },
    "endpoint": {"body": "extra_body", "rate": "requests_per_second"},
    "eval:classification": {"wanted": "target_accuracy"},
    "eval:voice": {"same": "same_cosine", "unrelated": "unrelated_cosine"},
    "objective:bi-encoder": {"in_batch": "in_batch_negatives"},
    "objective:bi-encoder-targets": {"documents": "list_size", "sharpness": "inverse_temperature"},
    "objective:classification": {"kept": "interpolation", "wanted": "target_accuracy"},
    "objective:cross-encoder-targets": {
        "documents": "list_size", "pointwise": "pointwise_weight", "sharpness": "inverse_temperature",
    },
    "objective:late-interaction": {"in_batch": "in_batch_negatives"},
    "objective:late-interaction-targets": {"documents": "list_size", "sharpness": "inverse_temperature"},
    "source:dataset": {"part": "dataset_split"},
    "source:documents": {"least": "min_tokens", "tokens": "max_tokens"},
    "synthesizer:backtranslate-style": {"asked": "message", "most": "max_jaccard", "names": "voice_names"},
    "synthesizer:from-description": {
        "about": "description", "cosine": "max_cosine", "near": "max_jaccard", "tries": "requests_per_row",
    },
    "synthesizer:hard-negatives": {"by": "rank_by", "guard": "ask_judge", "reads": "max_document_chars"},
    "synthesizer:label": {"about": "description", "agree": "min_agreement"},
    "synthesizer:paraphrase": {"cosine": "min_cosine", "least": "min_jaccard", "most": "max_jaccard"},
    "synthesizer:questions-from-documents": {"each": "per_passage", "least": "min_chars", "near": "max_jaccard"},
    "synthesizer:self-instruct": {"each": "tasks_per_request", "rouge": "max_rouge_l", "tries": "max_request_ratio"},
    "synthesizer:spread-labels": {"sure": "min_confidence"},
    "synthesizer:tool-calls": {"at_hand": "tools_per_query"},
    "synthesizer:zelo": {"across": "cross_query_cycles", "documents": "max_documents", "reads": "max_document_chars"},
    "task:classifier": {"few": "min_label_rows"},
    "task:reranker": {"candidates_each": "top_k"},
    "train": {"schedule": "lr_scheduler", "warmup": "warmup_ratio"},
}
"""Block → former name of a field → its name."""
