"""From comparisons to scores: the graph, the fit against hand computation, and what 400 judgements recover."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_ndtr, ndtr

from factory_rerank.zelo.comparison_graph import draw_cycles, find_connected_items
from factory_rerank.zelo.score_fitting import fit_pairwise_scores

BUDGET, SIZE = 400, 100


def test_a_cycle_holds_every_item_twice_and_joins_all() -> None:
    pairs = draw_cycles(range(10, 60), 3, np.random.default_rng(0))
    assert len(pairs) == 150 and len({frozenset(pair) for pair in pairs}) >= 145
    assert {sum(item in pair for pair in pairs) for item in range(10, 60)} == {6}
    assert len(find_connected_items(60, pairs)[0]) == 50
    firsts = [a for a, _ in draw_cycles(range(500), 1, np.random.default_rng(1))]
    assert len(set(firsts)) < 450  # no item stands first always: directions are drawn


def test_two_items_make_one_pair_and_one_makes_none() -> None:
    draw = np.random.default_rng(0)
    assert len(draw_cycles([4, 7], 1, draw)) == 1 and draw_cycles([4], 3, draw) == []


def test_parts_that_nothing_connects_are_told_apart() -> None:
    assert find_connected_items(6, [(0, 1), (4, 3), (3, 5)]) == [[3, 4, 5], [0, 1], [2]]


@pytest.mark.parametrize(("link", "unit"), [("thurstone", 1.0), ("bradley-terry", 1.702)])
def test_the_fit_is_the_penalised_maximum(link: str, unit: float) -> None:
    draw = np.random.default_rng(3)
    pairs = draw_cycles(range(8), 4, draw)
    shares = draw.choice([0, 0.5, 1, 0.8], len(pairs))
    a, b = np.array(pairs).T
    log = log_ndtr if link == "thurstone" else lambda x: np.log(expit(x))

    def loss(scores: np.ndarray) -> float:
        margin = (scores[a] - scores[b]) * unit
        return float(-(shares * log(margin) + (1 - shares) * log(-margin)).sum() + (scores**2).sum() / (2 * 4))

    found = fit_pairwise_scores(8, pairs, shares, link, spread=2.0)  # type: ignore[arg-type]
    assert found.scores == pytest.approx(minimize(loss, np.zeros(8)).x, abs=1e-3)
    assert found.scores.mean() == pytest.approx(0, abs=1e-9)


def test_errors_are_the_inverse_hessians() -> None:
    pairs, width = [(0, 1)] * 6, 2.0
    found = fit_pairwise_scores(3, pairs, [0.5] * 6, spread=width)
    curve = 6 * 4 * math.exp(0) / (2 * math.pi)  # of six ties: density² / (½ · ½) each
    hessian = np.array([[curve, -curve, 0], [-curve, curve, 0], [0, 0, 0]]) + np.eye(3) / width**2
    assert found.standard_errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(hessian))))
    assert found.scores == pytest.approx([0, 0, 0]) and found.standard_errors[2] == pytest.approx(width)


def test_an_item_that_always_wins_stays_finite_and_ties_draw_together() -> None:
    won = fit_pairwise_scores(3, [(0, 1), (0, 2), (1, 2)] * 3, [1.0] * 9)
    assert won.scores[0] > won.scores[1] > won.scores[2] and won.scores[0] < 6
    assert abs(
        fit_pairwise_scores(2, [(0, 1)] * 4, [0.6] * 4).scores[0]
    ) < abs(fit_pairwise_scores(2, [(0, 1)] * 4, [0.9] * 4).scores[0])


def test_a_known_difference_explains_what_it_can() -> None:
    pairs, shares = [(0, 1)] * 50, [float(ndtr(1.5))] * 50
    explained = fit_pairwise_scores(2, pairs, shares, offsets=[1.5] * 50)
    assert explained.scores == pytest.approx([0, 0], abs=1e-6)


def test_many_items_are_fitted_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    pairs = draw_cycles(range(60), 4, draw)
    shares = draw.random(len(pairs)).round()
    dense = fit_pairwise_scores(60, pairs, shares)
    monkeypatch.setattr("factory_rerank.zelo.score_fitting.MAX_DENSE_ITEMS", 10)
    sparse = fit_pairwise_scores(60, pairs, shares)
    assert sparse.scores == pytest.approx(dense.scores, abs=1e-6)
    assert (
        sparse.standard_errors <= dense.standard_errors + 1e-12
    ).all() and (sparse.standard_errors > 0.5 * dense.standard_errors).all()


@pytest.mark.parametrize(
    ("pairs", "shares", "said"),
    [
        ([(0, 1)], [1.5], "shares must be from 0 to 1"), ([(0, 3)], [1.0], "items of pairs must be from 0 to 1"),
        ([(0, 1)], [], "numbers of pairs, shares and offsets differ: 1, 0 and 1"),
    ],
)
def test_what_is_no_judgement_is_refused(pairs: list[tuple[int, int]], shares: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fit_pairwise_scores(2, pairs, shares)


def world(kind: str, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True worths of a hundred documents, in units of the judge's noise, and what each gains in nDCG."""
    if kind == "graded":  # a pool as rerankers see it: most of no use, a few of grades 1 to 3
        grades = np.array([0.0] * 85 + [1.0] * 8 + [2.0] * 4 + [3.0] * 3)
        return grades * 1.5 + draw.normal(0, 0.5, SIZE), grades
    worths = draw.uniform(0, 5, SIZE) if kind == "even" else draw.exponential(1.5, SIZE)
    return worths, worths


def ndcg(gains: np.ndarray, scores: np.ndarray) -> float:
    discounts = 1 / np.log2(np.arange(2, 12))
    order = np.argsort(-scores, kind="stable")[:10]
    return float((gains[order] * discounts).sum() / (np.sort(gains)[::-1][:10] * discounts).sum())


def recovered(kind: str, seed: int, staged: bool, link: str = "thurstone") -> tuple[float, float]:
    """nDCG@10 of the order that 400 coin-flip judgements recover, and the share of true worths within 1.96 errors."""
    draw = np.random.default_rng(seed)
    worths, gains = world(kind, draw)

    def judged(pairs: list[tuple[int, int]]) -> list[float]:
        return [float(draw.random() < ndtr(worths[a] - worths[b])) for a, b in pairs]

    pairs = draw_cycles(range(SIZE), 3 if staged else 4, draw)
    shares = judged(pairs)
    if staged:
        first = fit_pairwise_scores(SIZE, pairs, shares, link)  # type: ignore[arg-type]
        more = draw_cycles(np.argsort(-first.scores, kind="stable")[:25].tolist(), 4, draw, pairs)
        pairs, shares = pairs + more, shares + judged(more)
    assert len(pairs) == BUDGET
    found = fit_pairwise_scores(SIZE, pairs, shares, link)  # type: ignore[arg-type]
    inside = np.abs(found.scores - (worths - worths.mean())) < 1.96 * found.standard_errors
    return ndcg(gains, found.scores), float(inside.mean())


@pytest.mark.parametrize("link", ["thurstone", "bradley-terry"])
@pytest.mark.parametrize("kind", ["graded", "even", "steep"])
def test_two_stages_recover_the_best_ten_where_four_cycles_do_not(kind: str, link: str) -> None:
    staged = [recovered(kind, seed, True, link) for seed in range(24)]
    plain = [recovered(kind, seed, False, link) for seed in range(24)]
    found, other = (float(np.mean([value for value, _ in runs])) for runs in (staged, plain))
    assert found >= 0.95 and found > other + 0.02, (found, other)
    assert 0.9 <= np.mean([inside for _, inside in staged]) <= 0.99
