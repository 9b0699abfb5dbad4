"""Degenerate answers: how they are made of a task's rows, and when the deciding metric is said to reward them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rerank_parts import HERE
from tiny_parts import Voice

from factory.api import Answer, Row, ScoreJob
from factory.api.label_sets import list_given_labels
from factory.cli import run_command_line as factory
from factory.evaluation.attacks import Attack, AttackReport, AttackResult, build_attacks
from factory.registry.registry import load_installed_registry
from factory.views.attacks import build_attacks_table, describe_attacks
from factory_classify.multi_label_metrics import MultiLabelMetrics
from factory_classify.task import Classifier
from factory_rerank.ranking_metrics import RankingMetrics
from factory_rerank.task import Reranker
from factory_rewrite.task import QueryRewriter

QUESTIONS = [
    Row("a", {"history": ["Does it run?", "From April."], "question": "And in winter?", "rewrite": "Winter?"}, HERE),
    Row("b", {"history": ["Who built it?", "A duke."], "question": "When?", "rewrite": "When was it built?"}, HERE),
]
LABELS = ["ham", "ham", "spam", "ham", ""]
REPORT = AttackReport(
    "f1", True, 100, {"f1": 0.9, "error": 0.1},
    (
        AttackResult("empty", "an empty text", {"f1": 0.1, "error": 0.9}),
        AttackResult("copy", "the column text", {"f1": 0.5, "error": 0.4}),
        AttackResult("everything", "all columns", {"f1": 0.75, "error": 0.2}),
        AttackResult("reversed", "words in reverse", {}, refused="eval 'mine': no such text"),
    ),
)


def outputs(attacks: list[Attack]) -> dict[str, tuple[object, ...]]:
    return {attack.name: attack.variants[0] for attack in attacks}


def test_texts_are_attacked_by_what_the_input_and_the_training_answers_say() -> None:
    task = QueryRewriter()
    right = tuple(task.build_expected_output(row) for row in QUESTIONS)
    texts = ["Who?", "Who?", "Where is the pier?", " "]
    train = [Row(f"t{n}", {"rewrite": text}, HERE) for n, text in enumerate(texts)]
    made = outputs(build_attacks(task, QUESTIONS, right, train))
    assert right == ("Winter?", "When was it built?")
    assert made == {
        "empty": ("", ""), "copy of question": ("And in winter?", "When?"),
        "everything": ("Does it run? From April. And in winter?", "Who built it? A duke. When?"),
        "longest": ("Where is the pier?",) * 2, "most frequent": ("Who?",) * 2, "constant": ("Who?",) * 2,
        "another row's": ("When was it built?", "Winter?"),
    }
    (constant,) = (each for each in build_attacks(task, QUESTIONS, right, train) if each.name == "constant")
    assert constant.variants == (("Who?", "Who?"), ("Where is the pier?", "Where is the pier?"))


def test_inputs_are_padded_with_the_set_phrases_of_training_answers() -> None:
    task, said = QueryRewriter(), ["Ahoy. Who? Farewell!", "Ahoy. When? Farewell!", "Hm. Where? Farewell!", "Why?"]
    train = [Row(f"t{n}", {"rewrite": text}, HERE) for n, text in enumerate(said)]
    attacks = build_attacks(task, QUESTIONS, ("Winter?", "When was it built?"), train)
    padded = next(attack for attack in attacks if attack.name == "padded question")
    assert padded.variants[0][0] == "Ahoy. And in winter? Farewell!"
    assert padded.variants[1][1] == "Ahoy. Ahoy. Ahoy. When? Farewell! Farewell! Farewell!"
    assert len(padded.variants) == 3


def test_labels_are_attacked_by_answers_that_are_the_same_for_all_rows() -> None:
    task, train = Classifier(), [Row(f"t{n}", {"label": label}, HERE) for n, label in enumerate(LABELS)]
    rows = [Row(name, {"text": "?", "label": name}, HERE) for name in ("eggs", "ham")]
    right = tuple(task.build_expected_output(row) for row in rows)
    made = outputs(build_attacks(task, rows, right, train))
    assert right == ({"eggs": 1.0}, {"ham": 1.0})
    assert made["majority"] == ({"ham": 1.0},) * 2 and made["constant"] == ({"eggs": 1.0},) * 2
    assert made["frequencies"][0] == {"eggs": 1 / 6, "ham": 4 / 6, "spam": 1 / 6}
    assert made["uniform"][1] == {"eggs": 1 / 3, "ham": 1 / 3, "spam": 1 / 3}
    assert made["another row's"] == ({"ham": 1.0}, {"eggs": 1.0})


def test_rankings_are_attacked_by_orders_that_look_at_no_document() -> None:
    row = Row("q", {"query": "?", "relevant": {"c": 1}, "candidates": ["a", "b", "c"]}, HERE)
    right = (Reranker().build_expected_output(row),)
    made = outputs(build_attacks(Reranker(), [row], right, []))
    ranks = {}
    for name, (scores,) in {**made, "right": right}.items():
        work = ScoreJob(7, Voice(), Path(), rows=[row], answers={"q": Answer("q", scores)})
        ranks[name] = 1 / next(RankingMetrics().score(work)).values["mrr@10"]
    assert ranks == {"first stage": 3, "constant": 3, "reversed": 1, "right": 1}


def test_an_attack_is_near_from_four_fifths_of_the_way_on() -> None:
    shares = {attack.name: REPORT.compute_share(attack.means) for attack in REPORT.attacks if attack.means}
    assert shares == {"empty": 0, "copy": pytest.approx(0.5), "everything": pytest.approx(0.8125)}
    assert [attack.name for attack in REPORT.rank_attacks()] == ["everything", "copy", "empty", "reversed"]
    (warning,) = describe_attacks(REPORT)
    assert warning.tone == "warn" and "everything (all columns) reaches 0.750, 81\u00a0% of the way" in warning.text
    (calm,) = describe_attacks(replace(REPORT, right={"f1": 1.0, "error": 0.0}))
    assert (calm.tone, calm.text) == (
        "good", "f1 on 100 rows outside the test set: no degenerate answer comes near the right ones."
    )


def test_where_less_is_better_the_way_runs_down() -> None:
    errors = replace(REPORT, metric="error", higher_is_better=False)
    assert errors.worst == 0.9 and errors.compute_share({"error": 0.2}) == pytest.approx(0.875)
    (near,) = describe_attacks(errors)
    assert near.text.startswith("error on 100 rows outside the test set: everything (all columns) reaches 0.200")


def test_a_metric_that_likes_nothing_better_than_the_worst_tells_nothing() -> None:
    (told,) = describe_attacks(replace(REPORT, right={"f1": 0.1, "error": 0.9}))
    assert told.tone == "bad" and "does not tell right answers from degenerate ones" in told.text


def test_rows_that_another_text_wins_are_counted_from_two_in_a_hundred_on() -> None:
    few, many = (replace(REPORT.attacks[1], won=won) for won in (2, 3))
    assert not REPORT.wins_rows(few) and REPORT.wins_rows(many)
    (told,) = describe_attacks(replace(REPORT, attacks=(REPORT.attacks[0], many)))
    assert "copy (the column text) is right on 3 rows without being the right answer" in told.text


def test_the_table_holds_right_answers_first_and_refused_ones_last() -> None:
    table = build_attacks_table(REPORT)
    assert [row.values[:3] for row in table.rows][:2] == [
        ("right answers", 0.9, 1.0), ("everything", 0.75, pytest.approx(0.8125))
    ]
    assert table.rows[-1].values == ("reversed", None, 0.0, None, "refused: eval 'mine': no such text")
    assert AttackReport.from_json(json.loads(json.dumps(REPORT.to_json()))) == REPORT


SPAM = """\
apiVersion: factory/v1
name: spam
task: classifier
models: {student: ./base}
data:
  sources: [{kind: jsonl, file: spam.jsonl, columns: [text, label]}]
  split: {test: 40, validation: 60}
"""


def test_the_command_warns_of_a_majority_that_is_nearly_always_right(toy: Path, capsys) -> None:
    lines = ({"text": f"message {n} word{n}", "label": "spam" if n % 10 == 0 else "ham"} for n in range(200))
    (toy / "spam.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (toy / "spam.yaml").write_text(SPAM)
    assert factory(["check", str(toy / "spam.yaml"), "--metric", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["attacks"]
    majority = next(attack for attack in told["attacks"] if attack["name"] == "majority")
    assert told["right"]["accuracy"] == 1.0 and 0.8 < majority["means"]["accuracy"] < 1.0
    assert any("majority (the most frequent label, for sure) reaches" in line for line in told["conclusions"])
    test = (next(toy.parent.glob("home/store/freeze/*/output/test.jsonl"))).read_text().splitlines()
    assert len(test) == 40 and told["rows"] == 60 + 100 // 3

    assert factory(["check", str(toy / "spam.yaml"), "--metric"]) == 0
    said = capsys.readouterr()
    assert said.err == "" and "valid (spam, task classifier)" in said.out and "right answers" in said.out


def test_a_task_that_knows_no_right_answer_is_told_what_it_lacks(toy: Path, capsys) -> None:
    assert factory(["check", str(toy / "toy.yaml"), "--metric"]) != 0
    assert "build_expected_output must be overridden" in capsys.readouterr().err


def test_sets_of_labels_are_attacked_by_none_all_and_the_most_frequent() -> None:
    task = load_installed_registry().make_plugin("task", {"kind": "classifier", "multi_label": True})
    sets = [["a"], ["a", "b"], [], ["a", "b"], ["c"]]
    rows = [Row(f"r{n}", {"text": "", "label": labels}, HERE) for n, labels in enumerate(sets)]
    right = tuple(task.build_expected_output(row) for row in rows[:2])
    made = build_attacks(task, rows[:2], right, rows[2:])
    given = {each.name: [list_given_labels(outputs[0]) for outputs in each.variants] for each in made}
    assert given == {
        "empty": [()], "everything": [("a", "b", "c")], "most frequent": [("a", "b")],
        "frequent labels": [("a",), ("a", "b"), ("a", "b", "c")], "another row's": [("a", "b")],
    }
    job = ScoreJob(7, Voice(), Path(), rows=rows[:2], answers={
        row.id: Answer(row.id, output) for row, output in zip(rows, made[0].variants[0], strict=False)
    })
    assert [score.values["example_f1"] for score in MultiLabelMetrics().score(job)] == [0.0, 0.0]
