"""Which rows to label next: cover what is typical, then go where a model is unsure, and look at no label unasked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_parts import Voice

from factory.api import Base, Provenance, Row, RowsJob, select_for_labelling
from factory.api.active_learning import _select_by_facility_location, compute_uncertainty
from factory_curators.active_curator import ActiveLearning

BASE = Base(Path("nowhere"), "points", "1", "0", "MIT")


def blobs(count: int = 240, kinds: int = 12, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Directions around a dozen middles, common kinds many times as frequent as rare ones, and their kinds."""
    draw = np.random.default_rng(seed)
    middles = draw.normal(size=(kinds, 16))
    frequent = np.arange(kinds, 0, -1.0) ** 2
    which = draw.choice(kinds, count, p=frequent / frequent.sum())
    points = middles[which] + draw.normal(scale=0.5, size=(count, 16))
    return points / np.linalg.norm(points, axis=1, keepdims=True), [f"kind {k}" for k in which]


class Points:
    """A kit whose embeddings are the points that texts name by number."""

    def embed(self, base: Base, texts: list[str], report: object = None) -> np.ndarray:
        return blobs()[0][[int(text) for text in texts]]


def job(rows: list[Row]) -> RowsJob:
    return RowsJob(
        7, Voice(), Path(), kit_loader=Points, rows=rows, base=BASE, models={"embedder": BASE}
    )  # type: ignore[arg-type]


def rows() -> list[Row]:
    return [Row(f"r{i}", {"text": str(i), "label": kind}, Provenance("blobs")) for i, kind in enumerate(blobs()[1])]


def kept(curator: ActiveLearning, some: list[Row]) -> list[str]:
    return [decision.id for decision in curator.curate(job(some)) if decision.kept]


def test_the_first_choices_cover_more_kinds_than_chance() -> None:
    points, kinds = blobs()
    found = {kinds[i] for i in select_for_labelling(points, {}, 12, 7)}
    drawn = [len({kinds[i] for i in np.random.default_rng(s).choice(240, 12, replace=False)}) for s in range(20)]
    assert len(found) >= 9 and len(found) > max(drawn)


def test_lazy_greedy_is_greedy() -> None:
    points, _ = blobs(80)
    alike, best, wanted = np.maximum(points @ points.T, 0) ** 4, np.zeros(80), []
    for _ in range(10):
        gains = np.maximum(alike - best, 0).sum(1)
        wanted.append(int(gains.argmax()))
        best = np.maximum(best, alike[wanted[-1]])
    held = points.astype(np.float32)
    assert _select_by_facility_location(held, np.arange(80), np.ones(80, dtype=np.float32), [], 10) == wanted


def test_labels_move_the_next_choices_to_where_a_model_is_unsure() -> None:
    points, kinds = blobs()
    known = {i: kinds[i] for i in select_for_labelling(points, {}, 20, 7)}
    unsure = compute_uncertainty(points, known)
    more = select_for_labelling(points, known, 10, 7)
    assert not set(more) & set(known)
    assert unsure[more].mean() > unsure.mean() and more != select_for_labelling(
        points, dict.fromkeys(known, "same"), 10, 7
    )


def test_no_label_is_looked_at_before_its_row_is_chosen() -> None:
    some = rows()
    first = kept(ActiveLearning(count=20, rounds=2), some)
    lied = [row if row.id in first else row.with_columns(label="another") for row in some]
    assert len(first) == 20 and kept(ActiveLearning(count=20, rounds=2), lied) == first
    assert kept(ActiveLearning(count=20, rounds=1), [row.with_columns(label="all") for row in some]) == kept(
        ActiveLearning(count=20, rounds=1), some
    )


def test_rows_without_a_label_and_rows_that_teach_less_say_why() -> None:
    some = rows()
    some[3] = some[3].with_columns(label=None)
    decisions = {decision.id: decision for decision in ActiveLearning(count=30).curate(job(some))}
    assert decisions["r3"].why == "has no label" and not decisions["r3"].kept
    assert sorted({d.why for d in decisions.values()}) == ["", "has no label", "labels of other rows are worth more"]
    assert kept(ActiveLearning(count=1000), some) == [row.id for row in some if row.id != "r3"]


def test_more_texts_than_fit_are_stood_for_by_a_seeded_part(monkeypatch: pytest.MonkeyPatch) -> None:
    points, _ = blobs()
    monkeypatch.setattr("factory.api.active_learning.MAX_SIMILARITIES", 240 * 60)
    one, other = select_for_labelling(points, {}, 20, 1), select_for_labelling(points, {}, 20, 2)
    assert one == select_for_labelling(points, {}, 20, 1) != other and len(set(one)) == 20
    assert select_for_labelling(points[:0], {}, 5, 1) == [] == select_for_labelling(points, {}, 0, 1)


def test_there_is_nothing_to_choose_by_without_a_model() -> None:
    with pytest.raises(ValueError, match="embeddings need the model 'embedder'"):
        list(ActiveLearning(count=2).curate(replace(job(rows()), models={})))
