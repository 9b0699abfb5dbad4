"""What a rewrite is worth: sacrebleu's numbers by hand, and whether BM25 finds the passage with it."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tiny_parts import Voice

from factory.api import Answer, Provenance, Row, ScoreJob, Tables
from factory_rewrite.recall import PassageSearch, Recall
from factory_rewrite.rewrite_metrics import RewriteMetrics

HERE = Provenance("parts")
GOLD = {"a": "When does the ferry run in winter?", "b": "Who built the castle?"}
ASKED = {"a": "And in winter?", "b": "Who built it?"}
PASSAGES = {
    "a": ("The ferry", "In winter it makes four crossings."), "b": ("The castle", "A duke built it."),
    "c": ("The sledge", "Open in winter."), "d": ("The bridge", "An engineer built it."),
}


def job(answers: Mapping[str, object], tables: Tables | None = None) -> ScoreJob:
    rows = [Row(name, {"question": ASKED[name], "rewrite": GOLD[name], "relevant": {name: 1}}, HERE) for name in GOLD]
    said = {name: Answer(name, output) for name, output in answers.items()}
    return ScoreJob(7, Voice(), Path(), tables or {}, rows=rows, answers=said)


def passages() -> dict[str, Row]:
    return {
        name: Row(name, {"title": title, "text": text}, HERE, table="passages")
        for name, (title, text) in PASSAGES.items()
    }


def test_the_reference_itself_gets_everything() -> None:
    work = job(GOLD)
    assert [scores.values for scores in RewriteMetrics().score(work)] == [
        {"sentence_bleu": pytest.approx(1), "chrf": pytest.approx(1), "exact": 1.0}
    ] * 2
    assert RewriteMetrics().compute_totals(work) == {
        "corpus_bleu": pytest.approx(100), "corpus_chrf": pytest.approx(100)
    }


def test_values_are_sacrebleus_own() -> None:
    from sacrebleu import corpus_bleu, corpus_chrf, sentence_bleu, sentence_chrf

    said = {"a": "When does the boat run in winter?", "b": "who built the Castle"}
    first, second = (scores.values for scores in RewriteMetrics().score(job(said)))
    assert first["sentence_bleu"] == pytest.approx(sentence_bleu(said["a"], [GOLD["a"]]).score / 100)
    assert first["exact"] == 0
    assert first["chrf"] == pytest.approx(sentence_chrf(said["a"], [GOLD["a"]]).score / 100)
    assert second["exact"] == 1 and second["chrf"] < 1
    both, references = list(said.values()), [list(GOLD.values())]
    assert RewriteMetrics().compute_totals(job(said)) == {
        "corpus_bleu": pytest.approx(corpus_bleu(both, references).score),
        "corpus_chrf": pytest.approx(corpus_chrf(both, references).score),
    }


def test_bleu_of_a_sentence_by_hand() -> None:
    (scores, _) = RewriteMetrics().score(job({"a": "When does the ferry run in spring?", "b": ""}))
    precisions = [7 / 8, 5 / 7, 4 / 6, 3 / 5]  # of the eight tokens, the question mark is one
    product = precisions[0] * precisions[1] * precisions[2] * precisions[3]
    assert scores.values["sentence_bleu"] == pytest.approx(product**0.25, abs=1e-6)


def test_saying_nothing_is_worth_nothing() -> None:
    assert all(set(scores.values.values()) == {0.0} for scores in RewriteMetrics().score(job({"a": "", "b": ""})))


def test_signatures_say_how_the_corpus_was_scored() -> None:
    lines = RewriteMetrics().build_tables(job(GOLD))["signatures"]
    assert [line["number"] for line in lines] == ["corpus_bleu", "corpus_chrf"]
    assert "tok:13a" in lines[0]["signature"] and "nc:6" in lines[1]["signature"]
    assert RewriteMetrics().compute_identity(Path())["fingerprint"]


@pytest.mark.parametrize(("answers", "said"), [({"a": "x"}, "row 'b' has no answer"), ({"a": [1.0]}, "got a list")])
def test_an_answer_that_is_none_or_no_text_is_refused(answers: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(RewriteMetrics().score(job(answers)))


def test_a_rewrite_finds_what_the_bare_question_does_not() -> None:
    work = job({"a": GOLD["a"], "b": ASKED["b"]}, {"passages": passages()})
    first, second = (scores.values for scores in Recall(depth=1).score(work))
    assert first == {"recall": 1, "recall_without": 0, "recall_gold": 1}
    assert second == {"recall": second["recall_without"], "recall_without": second["recall"], "recall_gold": 1}


def test_a_search_names_only_passages_that_share_a_word() -> None:
    search = PassageSearch(passages(), depth=3)
    assert search.find_top_passages(
        "the castle"
    ) == ["b"] and search.find_top_passages("zebra") == [] and search.find_top_passages("") == []
    assert search.find_top_passages("built")[:2] in (["b", "d"], ["d", "b"]) and len(
        search.find_top_passages("winter built")
    ) == 3
    assert search.compute_passage_recall("castle", {"b": 1, "d": 1}) == 0.5


def test_what_can_not_be_searched_is_said() -> None:
    with pytest.raises(ValueError, match="table: no side table 'passages'; available: none"):
        list(Recall().score(job(GOLD)))
    with pytest.raises(ValueError, match="contain no words"):
        PassageSearch({"a": Row("a", {"text": "…"}, HERE)}, 3)
    empty = job(GOLD, {"passages": passages()})
    blank = ScoreJob(
        7, Voice(), Path(), empty.tables, rows=[empty.rows[0].with_columns(relevant={})], answers=empty.answers
    )
    with pytest.raises(ValueError, match="row 'a' has no relevant passage"):
        list(Recall().score(blank))


def test_accents_are_compared_however_they_are_written() -> None:
    from sacrebleu import sentence_chrf

    composed, decomposed = "Where is the caf\u00e9?", "Where is the cafe\u0301?"
    for said, reference in ((composed, decomposed), (decomposed, composed)):
        row = Row("a", {"question": "Where?", "rewrite": reference}, HERE)
        work = ScoreJob(7, Voice(), Path(), rows=[row], answers={"a": Answer("a", said)})
        (scores,) = RewriteMetrics().score(work)
        assert scores.values == {"sentence_bleu": pytest.approx(1), "chrf": pytest.approx(1), "exact": 1.0}
        assert RewriteMetrics().compute_totals(work)["corpus_chrf"] == pytest.approx(100)
    assert sentence_chrf(decomposed, [composed]).score < 90  # what sacrebleu says of the raw code points
    search = PassageSearch({"p": Row("p", {"text": composed}, HERE)}, 1)
    assert search.find_top_passages("cafe\u0301") == ["p"]


def test_a_rewrite_with_another_sign_is_not_exact() -> None:
    row = Row("a", {"question": "?", "rewrite": "is x<y?"}, HERE)
    for said, exact in (("Is x < y", 1.0), ("is x>y?", 0.0)):
        (scores,) = RewriteMetrics().score(ScoreJob(7, Voice(), Path(), rows=[row], answers={"a": Answer("a", said)}))
        assert scores.values["exact"] == exact


def test_recall_is_the_share_of_all_relevant_passages() -> None:
    import ir_measures

    words = ["alpha", "beta", "gamma", "delta", "omega"]
    table = {word: Row(word, {"text": word}, HERE, table="passages") for word in [*words, "other"]}
    search, relevant = PassageSearch(table, 3), dict.fromkeys(words, 1)
    found = search.find_top_passages("alpha beta other")
    theirs = ir_measures.calc_aggregate(
        [ir_measures.R @ 3], {"q": relevant}, {"q": {name: 3.0 - rank for rank, name in enumerate(found)}}
    )
    assert search.compute_passage_recall("alpha beta other", relevant) == 0.4 == theirs[ir_measures.R @ 3]
    assert search.compute_passage_recall("alpha", {"alpha": 1, "beta": 0}) == 1


def test_length_is_not_rewarded_by_the_metric_that_decides() -> None:
    history = "When does the Orvane ferry run? From April to October, every half hour."
    question = "Is it open in winter?"
    partial, right = "Is the ferry open in winter?", "Is the Orvane ferry open in winter?"
    row = Row("a", {"question": question, "rewrite": right}, HERE)

    def score(said: str) -> Mapping[str, float]:
        (scores,) = RewriteMetrics().score(ScoreJob(7, Voice(), Path(), rows=[row], answers={"a": Answer("a", said)}))
        return scores.values

    pasted, copied, better = score(f"{history} {question}"), score(question), score(partial)
    decided = [scores[RewriteMetrics.primary_metric] for scores in (pasted, copied, better)]
    assert decided == pytest.approx([0.161692, 0.384982, 0.612975], abs=1e-6)
    assert pasted["chrf"] > copied["chrf"] + 0.15  # what recall counted twice makes of it


def test_languages_without_spaces_have_tokens_of_their_own() -> None:
    row = Row("a", {"question": "冬天呢？", "rewrite": "渡轮冬天什么时候开？"}, HERE)
    work = ScoreJob(7, Voice(), Path(), rows=[row], answers={"a": Answer("a", "渡轮冬天开吗？")})
    spaced, chinese = (next(RewriteMetrics(tokenize=name).score(work)) for name in ("13a", "zh"))
    assert spaced.values["sentence_bleu"] < 0.1 < chinese.values["sentence_bleu"] < 1
    assert "tok:zh" in RewriteMetrics(tokenize="zh").build_tables(work)["signatures"][0]["signature"]
