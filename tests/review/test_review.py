"""What experts decide: the queue, the file of decisions, what they do to rows, and whether experts agree."""

import json
from pathlib import Path

import pytest
from review_parts import LABELS, desk, row, rows

from factory.api import Row
from factory.errors import InputError
from factory.review import Content, Said, agreement, applied, facts, queue, read, refused, sample_size, settle
from factory.review.agreement import kappa
from factory.review.strata import Strata
from factory_classify.task import Classifier
from factory_rewrite.task import QueryRewriter

CONTENT = Content.of(Classifier())


def said(row: str, reviewer: str, verdict: str, **target: str) -> Said:
    return Said(row, reviewer, verdict, target)


def test_content_is_input_and_answer_and_never_the_id_or_what_is_computed() -> None:
    one, other = row(1), Row("elsewhere", {**row(1).columns, "extra": 1}, row(2).provenance)
    assert CONTENT.digest(one) == CONTENT.digest(other)
    assert CONTENT.digest(one) != CONTENT.digest(one.with_columns(label="billing"))
    rewriter = Content.of(QueryRewriter())
    assert (rewriter.columns, rewriter.target) == (("history", "question", "rewrite"), ("rewrite",))


def test_every_beginning_of_the_queue_is_a_stratified_sample() -> None:
    made = rows(300)
    first = [item.row for item in queue(made, CONTENT, 60, 7)]
    strata = Strata(made, CONTENT)
    assert len({strata.of(each) for each in first[:9]}) == len({strata.of(each) for each in made})
    for label in LABELS:
        assert 17 <= sum(each["label"] == label for each in first) <= 23
    assert sum(each.provenance.generator == "" for each in first) in range(17, 24)


def test_doubtful_rows_come_first_and_leave_room_for_others() -> None:
    made = [row(n, **({"doubt": "votes 2:1"} if n % 2 else {})) for n in range(100)]
    doubts = [bool(item.row.provenance.detail) for item in queue(made, CONTENT, 20, 7)]
    assert doubts == [True] * 10 + [False] * 10
    few = [row(n, **({"doubt": "votes 2:1"} if n < 3 else {})) for n in range(100)]
    assert sum(bool(item.row.provenance.detail) for item in queue(few, CONTENT, 20, 7)[:3]) == 3


def test_judges_scores_are_strata_by_quarters() -> None:
    made = [row(n, label="refund", score=n / 40) for n in range(40)]
    strata = Strata(made, CONTENT)
    assert [strata.of(made[n]).score for n in (0, 15, 25, 39)] == [f"quarter {n} of 4" for n in (1, 2, 3, 4)]


def test_the_same_content_is_shown_once_and_an_item_names_no_maker() -> None:
    items = queue([row(1, text="same"), row(4, text="same"), row(2)], CONTENT, 9, 7)
    assert len(items) == 2
    assert "maker" not in repr(items) and "r1" not in repr(items)


def test_a_sitting_goes_on_where_it_stopped_and_skipped_rows_come_last(tmp_path: Path) -> None:
    first = desk(tmp_path, rows(5))
    one, two, *others = first.waiting()
    first.decide(one, "skip")
    first.decide(two, "accept")
    again = desk(tmp_path, rows(5))
    assert [item.key for item in again.waiting()] == [item.key for item in (*others, one)]
    assert (again.progress().decided, again.progress().counts["skip"]) == (1, 1)
    assert len(desk(tmp_path, rows(5), "bob").waiting()) == 5


def test_undo_takes_the_last_word_back_and_what_was_said_before_stands_again(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(3))
    item = one.waiting()[0]
    one.decide(item, "accept")
    one.decide(item, "reject", note="no question")
    assert one.undo() == item and one.word(item).verdict == "accept"
    assert one.undo() == item and one.word(item) is None
    assert one.undo() is None
    assert len((tmp_path / "review.jsonl").read_text().splitlines()) == 4


def test_an_edited_answer_must_be_one_that_there_is(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(6))
    item = next(item for item in one.waiting() if item.answer["label"] == "billing")
    with pytest.raises(InputError, match="did you mean 'shipping'"):
        one.decide(item, "edit", {"label": "shiping"})
    with pytest.raises(InputError, match="reject the row instead"):
        one.decide(item, "edit", {"label": " "})
    assert one.decide(item, "edit", {"label": "billing"}).verdict == "accept"
    assert one.decide(item, "edit", {"label": "refund"}).target == {"label": "refund"}


def test_a_torn_line_costs_itself_and_nothing_else(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(4))
    first, second, *_ = one.waiting()
    one.decide(first, "accept")
    with (tmp_path / "review.jsonl").open("ab") as file:
        file.write(b'{"row":"' + second.key.encode()[:9])
    again = desk(tmp_path, rows(4))
    again.decide(second, "reject")
    found = read(tmp_path / "review.jsonl")
    assert [word.verdict for word in found.said] == ["accept", "reject"] and found.torn == 1
    (tmp_path / "review.jsonl").write_bytes(b'[1]\n"x"\n{"row":1,"reviewer":"a","verdict":"accept"}\n\xff\n')
    assert read(tmp_path / "review.jsonl").torn == 4


def test_the_strictest_word_wins_and_two_edits_that_differ_teach_nothing() -> None:
    accept, edit = said("k", "ana", "accept"), said("k", "bob", "edit", label="refund")
    other = said("k", "cid", "edit", label="billing")
    assert settle({"ana": accept, "bob": edit}).target == {"label": "refund"}
    assert settle({"ana": accept, "bob": said("k", "bob", "reject")}).why == "rejected by one reviewer, not by another"
    assert settle({"bob": edit, "cid": other}).why == "reviewers wrote different answers"
    assert applied(row(1), settle({"bob": edit, "cid": other})) is None
    edited = applied(row(1), settle({"bob": edit}))
    assert edited["label"] == "refund" and edited.provenance.detail["reviewed"] == "edited"
    assert applied(row(1), None) == row(1)


def test_kappa_is_cohens_and_says_nothing_where_chance_is_all() -> None:
    ours = ["accept"] * 25 + ["reject"] * 25
    theirs = ["accept"] * 20 + ["reject"] * 5 + ["accept"] * 10 + ["reject"] * 15
    assert kappa(ours, theirs) == pytest.approx(0.4)  # the textbook's table: 0.7 observed, 0.5 by chance
    assert kappa(["accept"] * 5, ["accept"] * 5) is None
    words = {str(n): {"ana": said(str(n), "ana", a), "bob": said(str(n), "bob", b)}
             for n, (a, b) in enumerate(zip(ours, theirs, strict=True))}
    found = agreement(words)
    assert (found.kappa, found.pairs[0].rows, found.pairs[0].agreed, len(found.disputes)) == (0.4, 50, 35, 15)


def test_acceptance_is_of_all_rows_though_doubtful_ones_were_seen_more_often() -> None:
    made = [row(n, **({"doubt": "votes 2:1"} if n < 10 else {})) for n in range(100)]
    keys = [CONTENT.digest(each) for each in made]
    decided = {keys[n]: {"ana": said(keys[n], "ana", "reject" if n < 5 else "accept")} for n in range(20)}
    found = facts(made, CONTENT, {**decided, "gone": {"ana": said("gone", "ana", "accept")}})
    assert (found["reviewed"], found["share"], found["rejected"], found["elsewhere"]) == (20, 0.2, 5, 1)
    assert found["acceptance"] == pytest.approx(0.1 * 0.5 + 0.9 * 1.0)
    doubt = next(line for line in found["strata"] if (line["part"], line["value"]) == ("doubt", "doubtful"))
    assert doubt["acceptance"] == 0.5 and doubt["interval"] == pytest.approx([0.236593, 0.763407])


def test_the_gate_asks_for_a_share_and_for_acceptance() -> None:
    made = rows(40)
    none = facts(made, CONTENT, {})
    assert "no expert has looked" in refused(none, 0.1, 0.9)[0] and refused(none, 0.0, 0.0) == []
    keys = [CONTENT.digest(each) for each in made]
    words = dict(zip(keys, ("reject", "accept", "accept"), strict=False))
    some = facts(made, CONTENT, {key: {"ana": said(key, "ana", word)} for key, word in words.items()})
    assert refused(some, 0.05, 0.5) == []
    share, acceptance = refused(some, 0.1, 0.9)
    assert share == "3 of 40 training rows were reviewed (7.5%); 10.0% must be"
    assert acceptance.startswith("experts would accept 66.7% of the training rows as they are; 90.0% is asked")


def test_what_a_file_means_changes_with_decisions_and_not_with_times_skips_or_order(tmp_path: Path) -> None:
    one = desk(tmp_path, rows(4))
    first, second, third, _ = one.waiting()
    one.decide(first, "accept")
    one.decide(second, "reject")
    before = read(one.file).identity()
    one.decide(third, "skip")
    lines = [json.loads(line) for line in one.file.read_text().splitlines()]
    one.file.write_text("".join(json.dumps({**line, "at": 0}) + "\n" for line in reversed(lines)))
    assert read(one.file).identity() == before
    one.decide(first, "reject")
    assert read(one.file).identity() != before


def test_a_share_is_rounded_up_and_never_more_than_all() -> None:
    assert [sample_size(*each) for each in ((100, 0.05), (101, 0.05), (3, 1.0), (0, 0.5), (30, 0.1))] == [5, 6, 3, 0, 3]
