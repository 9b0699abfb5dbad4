"""The files of a classifier beside its adapter: the head as a module of sentence-transformers, and the labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory_classify.label_answers import compute_softmax
from factory_classify.logistic_head import LogisticHead, load_head, save_head
from factory_classify.none_score import SCORE_FORMULAS, NoneScore

if TYPE_CHECKING:
    from factory_classify.label_answers import Numbers

HEAD_FOLDER = "3_Dense"
"""After the transformer, 1_Pooling and 2_Normalize: the modules of sentence-transformers in their order."""
HEAD_WEIGHTS, HEAD_BIAS = "linear.weight", "linear.bias"
LABEL_CONFIG_PATH = "labels/config.json"
ODDS_FORMULA = "own logit - logsumexp(other logits)"


def build_sentence_modules(base: Path, max_length: int, pooling: str, labels: int) -> list[Any]:
    """Return the modules of sentence-transformers that compute the logits; the head is drawn anew."""
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    transformer = Transformer(str(base), max_seq_length=max_length)
    width = transformer.get_embedding_dimension()
    head = Dense(width, labels, activation_function=None)
    return [transformer, Pooling(width, pooling_mode="mean" if pooling == "mean" else "cls"), Normalize(), head]


def write_head(folder: Path, head: LogisticHead) -> None:
    """Write the head's weights where sentence-transformers reads them."""
    (folder / HEAD_FOLDER).mkdir(exist_ok=True)
    save_head(folder / HEAD_FOLDER / "model.safetensors", head, HEAD_WEIGHTS, HEAD_BIAS)


def read_head(folder: Path) -> LogisticHead:
    """Read the head of an artifact or bundle."""
    return load_head(folder / HEAD_FOLDER / "model.safetensors", HEAD_WEIGHTS, HEAD_BIAS)


def write_label_config(
    labels: Sequence[str], folder: Path, abstain_below: float | None = None, none: Mapping[str, Any] | None = None
) -> None:
    """Write the labels in the order of the head's outputs, the confidence below which to abstain, and how the logit of
    the label that means none of the others is replaced: the fields of a `NoneScore`."""
    config: dict[str, Any] = {
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
    }
    if abstain_below is not None:
        config["abstain_below"] = abstain_below
    if none is not None:
        formula = f"logsumexp(other logits) + odds_scale * odds + score_scale * score + offset, odds = {ODDS_FORMULA}"
        config["none"] = {**none, "logit": f"{formula}, score = {SCORE_FORMULAS[none['score']]}"}
    (folder / LABEL_CONFIG_PATH).parent.mkdir(exist_ok=True)
    (folder / LABEL_CONFIG_PATH).write_text(json.dumps(config, sort_keys=True, indent=2, ensure_ascii=False) + "\n")


def read_bundle_labels(folder: Path) -> tuple[str, ...]:
    """Return the labels of an artifact or bundle, in the order of the head's outputs."""
    id2label: dict[str, str] = json.loads((folder / LABEL_CONFIG_PATH).read_text())["id2label"]
    return tuple(id2label[str(index)] for index in range(len(id2label)))


def compute_label_probabilities(folder: Path, logits: Numbers) -> Numbers:
    """Return the probabilities (rows, labels) of an artifact or bundle from the outputs of its head."""
    config = json.loads((folder / LABEL_CONFIG_PATH).read_text())
    if (fields := config.get("none")) is None:
        return compute_softmax(logits)
    none = NoneScore(**{name: value for name, value in fields.items() if name != "logit"})
    return compute_softmax(none.replace_logit(logits, config["label2id"][none.label]))


def read_abstention_threshold(folder: Path) -> float | None:
    """Return the confidence below which an artifact or bundle abstains; None if it has none."""
    below: float | None = json.loads((folder / LABEL_CONFIG_PATH).read_text()).get("abstain_below")
    return below
