"""A whole build by zELO: a judge over HTTP, targets, a reranker that learns them, and a bundle that is certified."""

import re
from pathlib import Path
from typing import Any

import pytest
import toy_builds as builds
from loopback import Play, serving

from factory.data.rows import read_json, read_jsonl

pytest.importorskip("openai")


def shared(body: dict[str, Any]) -> str:
    """The side whose document shares more words with its query; of equals always the first: a bias to a place."""
    said = body["messages"][-1]["content"]
    queries = re.findall(r"Query(?: [AB])?: (.*)", said)
    documents = [said.partition(f"Document {side}:\n")[2].partition("\n")[0] for side in "AB"]
    a, b = (len({*queries[min(i, len(queries) - 1)].split()} & {*text.split()}) for i, text in enumerate(documents))
    return "A" if a >= b else "B"


@pytest.mark.slow
def test_a_reranker_learns_from_a_judge_and_no_judgement_is_paid_twice(tiny_retrieval: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(otherwise=Play(shared)) as server:
        spec = tiny_retrieval.read_text().replace("objective: {kind: late-interaction,", "objective: {kind: TARGETS,")
        spec = spec.replace("TARGETS", "late-interaction-targets").replace(
            "  student: ./base\n",
            f"  student: ./base\n  judge: {{model: fair, base_url: {server.url!r}, concurrency: 4}}\n",
        ).replace("data:\n", "data:\n  limit: 24\n  synthesize: [{kind: zelo, cycles: 2, top: 4, top_cycles: 1}]\n")
        tiny_retrieval.write_text(spec)
        code, said = builds.build(tiny_retrieval, home)
        assert code in (0, 2, 3), said[-3:]
        paid = len(server.asked)
        assert builds.build(tiny_retrieval, home, "--set", "train.epochs=1")[0] in (0, 2, 3)
        assert len(server.asked) == paid == len(server.served)
    (rows,) = (home / "store" / "synthesize").glob("*/output/train.jsonl")
    targets = [(row["columns"]["relevant"], row["columns"]["targets"]) for row in read_jsonl(rows)]
    right = [values[name] for relevant, values in targets for name in relevant if name in values]
    others = [value for relevant, values in targets for name, value in values.items() if name not in relevant]
    assert sum(right) / len(right) > sum(others) / len(others) + 0.2
    certified = [read_json(file) for file in (home / "store" / "certify").glob("*/output/certify.json")]
    assert len(certified) == 2 and all(each["passed"] for each in certified)
