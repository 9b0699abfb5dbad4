"""Labels that contradict each other, and labels that the other rows contradict."""

import random

import numpy as np
import pytest
from curator_parts import decided, rows_of
from places import ROOT
from tiny_parts import Voice

from factory.api import Curator, Row, RowsJob
from factory.errors import InputError
from factory.registry.registry import load_installed_registry
from factory_curators.active_curator import ActiveLearning
from factory_curators.confident_learning import find_label_issues, predict_out_of_fold, vectorise_words
from factory_curators.conflicts import Conflicts
from factory_curators.label_noise import LabelNoise

BANKING = ROOT.parent / "shared" / "data" / "classification" / "banking77" / "data.jsonl"
LABELS = ("card", "loan", "fraud", "pin")


def noisy(count: int = 240, share: float = 0.05, seed: int = 4) -> tuple[list[Row], set[str]]:
    """Texts that name what they are about among other words, and the ids of those whose label was flipped."""
    draw = random.Random(seed)
    labels = [draw.choice(LABELS) for _ in range(count)]
    texts = [f"{draw.choice(('my', 'the', 'a'))} {label}{draw.randrange(6)} {draw.choice('abcdefgh')} {label}"
             for label in labels]
    flipped = set(draw.sample(range(count), round(share * count)))
    said = [draw.choice([n for n in LABELS if n != label]) if i in flipped else label for i, label in enumerate(labels)]
    return rows_of(*texts, label=said), {f"r{i}" for i in flipped}


@pytest.mark.parametrize("features", ["words", "embedder", "student"])
def test_flipped_labels_are_found(features: str) -> None:
    rows, flipped = noisy()
    said = decided(LabelNoise(features=features), rows)  # type: ignore[arg-type]
    doubted = {name: one for name, one in said.items() if one.row is not None}
    right = len(flipped & set(doubted))
    assert right >= 0.6 * len(flipped) and right >= 0.5 * len(doubted)
    assert all("is doubtful:" in one.row.provenance.detail["doubt"] and one.kept for one in doubted.values())
    gone = [name for name, one in decided(LabelNoise(features=features, action="drop"), rows).items() if not one.kept]
    assert gone == list(doubted)


def test_a_threshold_of_one_doubts_nothing() -> None:
    assert all(one.row is None for one in decided(LabelNoise(threshold=1), noisy()[0]).values())


def test_the_confident_joint_asks_for_as_much_as_rows_of_a_label_usually_get() -> None:
    likely = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.8, 0.2], [0.6, 0.4]])
    (suspect,) = find_label_issues(likely, ["a", "a", "b", "b", "a"], ["a", "b"])
    assert (suspect.row, suspect.suggested_label) == (3, "a") and suspect.margin == pytest.approx(0.6)


def test_too_few_rows_are_said_to_be_too_few() -> None:
    voice = Voice()
    assert decided(LabelNoise(), rows_of("a", "b", label=("x", "y")), voice) == {} and "too few" in voice.notes[0]


def test_rows_that_disagree_go_stand_by_the_majority_or_are_flagged() -> None:
    rows = rows_of("My card!", "my card", "MY CARD", "loan?", "Loan", "pin", label=("a", "a", "b", "a", "b", "a"))
    gone = {action: {n for n, one in decided(Conflicts(action=action), rows).items() if not one.kept}
            for action in ("drop", "majority", "flag")}
    assert gone == {"drop": {"r0", "r1", "r2", "r3", "r4"}, "majority": {"r2", "r3", "r4"}, "flag": set()}
    flagged = decided(Conflicts(action="flag"), rows)["r2"]
    doubt = "same input, different answers: 'b' here, 'a' there"
    assert flagged.twin == "r0" and flagged.row and flagged.row.provenance.detail["doubt"] == doubt


def test_the_answer_may_be_other_columns() -> None:
    rows = rows_of("q", "q", label=("a", "a"), note=("1", "2"))
    assert all(one.kept for one in decided(Conflicts(), rows).values())
    assert not any(one.kept for one in decided(Conflicts(answer_columns=["note"]), rows).values())


@pytest.mark.slow
@pytest.mark.skipif(not BANKING.is_file(), reason="the real data set is not here")
def test_flipped_labels_of_a_real_data_set_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from label_noise import compute_detection_rates, flip_labels, read_texts_and_labels

    texts, labels = read_texts_and_labels(BANKING, "text", "label", 0)
    said, places = flip_labels(labels, 0.05, 1)
    probabilities, names = predict_out_of_fold(vectorise_words(texts), said, 5, 1, lambda done, all: None)
    recall, precision, _ = compute_detection_rates(
        find_label_issues(probabilities, said, names), places, LabelNoise().threshold
    )
    assert recall >= 0.6 and precision >= 0.5


@pytest.mark.parametrize("curator", [LabelNoise(), ActiveLearning(count=3)], ids=lambda each: each.kind)
def test_lists_of_labels_are_refused_where_a_kind_needs_one_label(curator: Curator) -> None:
    rows = [each.with_columns(label=[each["label"]]) for each in noisy(20)[0]]
    with pytest.raises(InputError, match=r": row 'r\d+' has a list of labels in 'label'; this kind needs"):
        decided(curator, rows)


def test_sets_that_contradict_each_other_are_conflicts() -> None:
    rows = [each.with_columns(label=labels) for each, labels in zip(
        rows_of("lost card", "Lost card!", "fee", label=["", "", ""]), (["a"], ["a", "b"], ["a"]), strict=True
    )]
    task = load_installed_registry().make_plugin("task", {"kind": "classifier", "multi_label": True})
    work = RowsJob(7, Voice(), ROOT, rows=rows, task=task)  # type: ignore[arg-type]
    assert [decision.kept for decision in Conflicts().curate(work)] == [False, False, True]
