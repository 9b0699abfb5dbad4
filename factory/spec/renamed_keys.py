"""Former names of spec fields and plugin kinds, for a hint in the error about an unknown one.

A place is the dotted path of a block (`train`), `role:kind` for the fields of a plugin, `endpoint` for those of any
endpoint, or a bare role for its kinds.
"""

from __future__ import annotations

from collections.abc import Mapping

RENAMED_KEYS: Mapping[tuple[str, str], str] = {
    ("budget", "money"): "cost",
    ("budget", "wall"): "wall_time",
    ("data.leakage", "near"): "jaccard",
    ("data.leakage", "on"): "columns",
    ("data.leakage", "semantic"): "cosine",
    ("data.preflight", "conflict"): "conflicting_answers",
    ("data.preflight", "lost"): "answer_truncated",
    ("data.preflight", "rare"): "rare_label",
    ("data.preflight", "unended"): "missing_eos",
    ("data.preflight", "unlike"): "prompt_mismatch",
    ("data.preflight", "unsupervised"): "no_supervised_tokens",
    ("endpoint", "body"): "extra_body",
    ("endpoint", "rate"): "requests_per_second",
    ("eval:voice", "same"): "same_cosine",
    ("eval:voice", "unrelated"): "unrelated_cosine",
    ("synthesizer:backtranslate-style", "asked"): "message",
    ("synthesizer:backtranslate-style", "most"): "max_jaccard",
    ("synthesizer:backtranslate-style", "names"): "voice_names",
    ("synthesizer:from-description", "about"): "description",
    ("synthesizer:from-description", "cosine"): "max_cosine",
    ("synthesizer:from-description", "near"): "max_jaccard",
    ("synthesizer:from-description", "tries"): "requests_per_row",
    ("synthesizer:hard-negatives", "by"): "rank_by",
    ("synthesizer:hard-negatives", "guard"): "ask_judge",
    ("synthesizer:hard-negatives", "reads"): "max_document_chars",
    ("synthesizer:label", "about"): "description",
    ("synthesizer:label", "agree"): "min_agreement",
    ("synthesizer:paraphrase", "cosine"): "min_cosine",
    ("synthesizer:paraphrase", "least"): "min_jaccard",
    ("synthesizer:paraphrase", "most"): "max_jaccard",
    ("synthesizer:questions-from-documents", "each"): "per_passage",
    ("synthesizer:questions-from-documents", "least"): "min_chars",
    ("synthesizer:questions-from-documents", "near"): "max_jaccard",
    ("synthesizer:self-instruct", "each"): "tasks_per_request",
    ("synthesizer:self-instruct", "rouge"): "max_rouge_l",
    ("synthesizer:self-instruct", "tries"): "max_request_ratio",
    ("synthesizer:spread-labels", "sure"): "min_confidence",
    ("synthesizer:tool-calls", "at_hand"): "tools_per_query",
    ("synthesizer:zelo", "across"): "cross_query_cycles",
    ("synthesizer:zelo", "documents"): "max_documents",
    ("synthesizer:zelo", "reads"): "max_document_chars",
    ("train", "schedule"): "lr_scheduler",
    ("train", "warmup"): "warmup_ratio",
}
"""(place, former name) → name."""
