"""What experts decide: the queue, the file of decisions, what they do to rows, and whether experts agree."""

import json
from pathlib import Path

import pytest
from review_parts import LABELS, desk, row, rows

from factory.api import Row
from factory.errors import InputError
from factory.review import (
    ReviewDecision,
    RowContent,
    adjudicate_decisions,
    apply_outcome,
    build_review_queue,
    compute_sample_size,
    find_review_refusals,
    measure_agreement,
    read_decisions,
    summarise_review,
)
from factory.review.agreement import compute_kappa
from factory.review.stratified_sampling import Stratifier
from factory_classify.task import Classifier
from factory_rewrite.task import QueryRewriter

CONTENT = RowContent.from_task(Classifier())


def said(row: str, reviewer: str, verdict: str, **target: str) -> ReviewDecision:
    return ReviewDecision(row, reviewer, verdict, target)


def test_content_is_input_and_answer_and_never_the_id_or_what_is_computed() -> None:
    one, other = row(1), Row("elsewhere", {**row(1).columns, "extra": 1}, row(2).provenance)
    assert CONTENT.compute_content_digest(one) == CONTENT.compute_content_digest(other)
    assert CONTENT.compute_content_digest(one) != CONTENT.compute_content_digest(one.with_columns(label="billing"))
    rewriter = RowContent.from_task(QueryRewriter())
    assert (rewriter.columns, rewriter.target) == (("history", "question", "rewrite"), ("rewrite",))


def test_every_beginning_of_the_queue_is_a_stratified_sample() -> None:
    made = rows(300)
    first = [item.row for item in build_review_queue(made, CONTENT, 60, 7)]
    strata = Stratifier(made, CONTENT)
    assert len(
        {strata.assign_stratum(each) for each in first[:9]}
    ) == len({strata.assign_stratum(each) for each in made})
    for label in LABELS:
        assert 17 <= sum(each["label"] == label for each in first) <= 23
    assert sum(each.provenance.generator == "" for each in first) in range(17, 24)


def test_doubtful_rows_come_first_and_leave_room_for_others() -> None:
    made = [row(n, **({"doubt": "votes 2:1"} if n % 2 else {})) for n in range(100)]
    doubts = [bool(item.row.provenance.detail) for item in build_review_queue(made, CONTENT, 20, 7)]
    assert doubts == [True] * 10 + [False] * 10
    few = [row(n, **({"doubt": "votes 2:1"} if n < 3 else {})) for n in range(100)]
    assert sum(bool(item.row.provenance.detail) for item in build_review_queue(few, CONTENT, 20, 7)[:3]) == 3


def test_judges_scores_are_strata_by_quarters() -> None:
    made = [row(n, label="refund", score=n / 40) for n in range(40)]
    strata = Stratifier(made, CONTENT)
    assert [
        strata.assign_stratum(made[n]).score for n in (0, 15, 25, 39)
    ] == [f"quarter {n} of 4" for n in (1, 2, 3, 4)]


def test_the_same_content_is_shown_once_and_an_item_names_no_maker() -> None:
    items = build_review_queue([row(1, text="same"), row(4, text="same"), row(2)], CONTENT, 9, 7)
    assert len(items) == 2
    assert "maker" not in repr(items) and "r1" not in repr(items)


def test_a_sitting_goes_on_where_it_stopped_and_skipped_rows_come_last(tmp_path: Path) -> None:
    first = desk(tmp_path, rows(5))
    one, two, *others = first.list_waiting_items()
    first.record_decision(one, "skip")
    first.record_decision(two, "accept")
    again = desk(tmp_path, rows(5))
    assert [item.key for item in again.list_waiting_items()] == [item.key for item in (*others, one)]
    assert (again.measure_progress().decided, again.measure_progress().counts["skip"]) == (1, 1)
    assert len(desk(tmp_path, rows(5), "bob").list_waiting_items()) == 5


def test_undo_takes_the_last_word_back_and_what_was_said_before_stands_again(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(3))
    item = one.list_waiting_items()[0]
    one.record_decision(item, "accept")
    one.record_decision(item, "reject", note="no question")
    assert one.undo() == item and one.find_decision(item).verdict == "accept"
    assert one.undo() == item and one.find_decision(item) is None
    assert one.undo() is None
    assert len((tmp_path / "review.jsonl").read_text().splitlines()) == 4


def test_an_edited_answer_must_be_one_that_there_is(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(6))
    item = next(item for item in one.list_waiting_items() if item.answer["label"] == "billing")
    with pytest.raises(InputError, match="did you mean 'shipping'"):
        one.record_decision(item, "edit", {"label": "shiping"})
    with pytest.raises(InputError, match="reject the row instead"):
        one.record_decision(item, "edit", {"label": " "})
    assert one.record_decision(item, "edit", {"label": "billing"}).verdict == "accept"
    assert one.record_decision(item, "edit", {"label": "refund"}).target == {"label": "refund"}


def test_a_torn_line_costs_itself_and_nothing_else(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(4))
    first, second, *_ = one.list_waiting_items()
    one.record_decision(first, "accept")
    with (tmp_path / "review.jsonl").open("ab") as file:
        file.write(b'{"row":"' + second.key.encode()[:9])
    again = desk(tmp_path, rows(4))
    again.record_decision(second, "reject")
    found = read_decisions(tmp_path / "review.jsonl")
    assert [word.verdict for word in found.decisions] == ["accept", "reject"] and found.torn_lines == 1
    (tmp_path / "review.jsonl").write_bytes(b'[1]\n"x"\n{"row":1,"reviewer":"a","verdict":"accept"}\n\xff\n')
    assert read_decisions(tmp_path / "review.jsonl").torn_lines == 4


def test_the_strictest_word_wins_and_two_edits_that_differ_teach_nothing() -> None:
    accept, edit = said("k", "ana", "accept"), said("k", "bob", "edit", label="refund")
    other = said("k", "cid", "edit", label="billing")
    assert adjudicate_decisions({"ana": accept, "bob": edit}).target == {"label": "refund"}
    assert adjudicate_decisions(
        {"ana": accept, "bob": said("k", "bob", "reject")}
    ).why == "rejected by one reviewer, not by another"
    assert adjudicate_decisions({"bob": edit, "cid": other}).why == "reviewers wrote different answers"
    assert apply_outcome(row(1), adjudicate_decisions({"bob": edit, "cid": other})) is None
    edited = apply_outcome(row(1), adjudicate_decisions({"bob": edit}))
    assert edited["label"] == "refund" and edited.provenance.detail["reviewed"] == "edited"
    assert apply_outcome(row(1), None) == row(1)


def test_kappa_is_cohens_and_says_nothing_where_chance_is_all() -> None:
    ours = ["accept"] * 25 + ["reject"] * 25
    theirs = ["accept"] * 20 + ["reject"] * 5 + ["accept"] * 10 + ["reject"] * 15
    assert compute_kappa(ours, theirs) == pytest.approx(0.4)  # the textbook's table: 0.7 observed, 0.5 by chance
    assert compute_kappa(["accept"] * 5, ["accept"] * 5) is None
    words = {str(n): {"ana": said(str(n), "ana", a), "bob": said(str(n), "bob", b)}
             for n, (a, b) in enumerate(zip(ours, theirs, strict=True))}
    found = measure_agreement(words)
    assert (found.kappa, found.pairs[0].rows, found.pairs[0].agreed, len(found.disputes)) == (0.4, 50, 35, 15)


def test_different_edits_are_no_agreement_beyond_chance() -> None:
    from sklearn.metrics import cohen_kappa_score

    edits = {str(n): {who: said(str(n), who, "edit", label=f"{who}-{n}") for who in ("ana", "bob")} for n in range(8)}
    accepts = {str(n): {who: said(str(n), who, "accept") for who in ("ana", "bob")} for n in (8, 9)}
    theirs = [[f"{who}-{n}" if n < 8 else "accept" for n in range(10)] for who in ("ana", "bob")]
    found = measure_agreement({**edits, **accepts})
    assert found.pairs[0].agreed == 2 and found.kappa == pytest.approx(cohen_kappa_score(*theirs), abs=1e-6)
    assert found.kappa == pytest.approx(0.166667)
    assert measure_agreement(edits).kappa == 0.0
    forms = {"ana": "caf\u00e9", "bob": "cafe\u0301"}
    same = {"1": {who: said("1", who, "edit", label=label) for who, label in forms.items()}}
    assert measure_agreement(same).pairs[0].agreed == 1 and measure_agreement(same).disputes == ()


def test_acceptance_is_of_all_rows_though_doubtful_ones_were_seen_more_often() -> None:
    made = [row(n, **({"doubt": "votes 2:1"} if n < 10 else {})) for n in range(100)]
    keys = [CONTENT.compute_content_digest(each) for each in made]
    decided = {keys[n]: {"ana": said(keys[n], "ana", "reject" if n < 5 else "accept")} for n in range(20)}
    found = summarise_review(made, CONTENT, {**decided, "gone": {"ana": said("gone", "ana", "accept")}})
    assert (found["reviewed"], found["share"], found["rejected"], found["elsewhere"]) == (20, 0.2, 5, 1)
    assert found["acceptance"] == pytest.approx(0.1 * 0.5 + 0.9 * 1.0)
    doubt = next(line for line in found["strata"] if (line["part"], line["value"]) == ("doubt", "doubtful"))
    assert doubt["acceptance"] == 0.5 and doubt["interval"] == pytest.approx([0.236593, 0.763407])


def test_the_gate_asks_for_a_share_and_for_acceptance() -> None:
    made = rows(40)
    none = summarise_review(made, CONTENT, {})
    assert "no expert has reviewed" in find_review_refusals(
        none, 0.1, 0.9
    )[0] and find_review_refusals(none, 0.0, 0.0) == []
    keys = [CONTENT.compute_content_digest(each) for each in made]
    words = dict(zip(keys, ("reject", "accept", "accept"), strict=False))
    some = summarise_review(made, CONTENT, {key: {"ana": said(key, "ana", word)} for key, word in words.items()})
    assert find_review_refusals(some, 0.05, 0.5) == []
    share, acceptance = find_review_refusals(some, 0.1, 0.9)
    assert share == "3 of 40 training rows were reviewed (7.5%); data.review.share requires 10.0%"
    assert acceptance.startswith("experts accept 66.7% of the training rows unchanged; data.review.acceptance requires")
    assert acceptance.endswith("requires 90.0%")


def test_what_a_file_means_changes_with_decisions_and_not_with_times_skips_or_order(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(4))
    first, second, third, _ = one.list_waiting_items()
    one.record_decision(first, "accept")
    one.record_decision(second, "reject")
    before = read_decisions(one.file).compute_decisions_key()
    one.record_decision(third, "skip")
    lines = [json.loads(line) for line in one.file.read_text().splitlines()]
    one.file.write_text("".join(json.dumps({**line, "at": 0}) + "\n" for line in reversed(lines)))
    assert read_decisions(one.file).compute_decisions_key() == before
    one.record_decision(first, "reject")
    assert read_decisions(one.file).compute_decisions_key() != before


def test_a_share_is_rounded_up_and_never_more_than_all() -> None:
    assert [
        compute_sample_size(*each) for each in ((100, 0.05), (101, 0.05), (3, 1.0), (0, 0.5), (30, 0.1))
    ] == [5, 6, 3, 0, 3]
