"""A run as a build would leave it, journal and store, without building anything."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

from factory import events, identity
from factory.store.outputs import META_FILE, Store

PHRASES = (
    "Kinking and stricture of ureter",
    "Herpetic gingivostomatitis",
    "Fracture of shaft of left tibia",
    "Hay fever",
)
CONTENDERS = {"tuned": 0.48, "untuned": 0.44, "bm25": 0.36, "hybrid": 0.42}
TASK = {"kind": "reranker"}


def fake_run(  # noqa: PLR0913  (each is one way in which runs differ)
    home: Path,
    run: str = "20261122-015700-icd-0f3a",
    *,
    verdict: str = "SHIP",
    lift: float = 0.0,
    n: int = 40,
    end: bool = True,
    pid: int = 0,
    at: float = 1_795_312_000.0,
    salt: str = "",
    profile: str = "small",
) -> str:
    """Write one finished (or, with `end=False`, torn) run; returns its id. `lift` is added to tuned's scores."""
    name = "-".join(run.split("-")[2:-1])
    plan = [
        _stage(stage, salt if stage in ("train", "score", "gate", "bundle", "answer[tuned]") else "")
        for stage in _names()
    ]
    keys = {s["name"]: s["key"] for s in plan}
    _store(Store(home), keys, verdict, lift, n)
    said = [
        {"path": "train.epochs", "value": 2, "origin": "spec", "line": 9},
        {"path": "gate.margin", "value": 0.0, "origin": "default", "line": None},
    ]
    happened = [
        (at, events.RunStarted(run, name, "reranker", "specs/icd.yaml", profile, plan, said, "0.1.0", pid or 2**30)),
        *_work(at, plan, end),
    ]
    if end:
        happened.append(
            (at + 61, events.RunFinished(run, verdict, {"SHIP": 0, "NO_SHIP": 2}.get(verdict, 3), 61.0, keys["bundle"]))
        )
    path = home / "runs" / run / "journal.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"at": when, **events.to_json(event)}) for when, event in happened]
    path.write_text("\n".join(lines) + "\n" + ('{"at": 17953120' if not end else ""))
    return run


def _names() -> list[str]:
    early = ["base", "gather", "prepare", "freeze", "synthesize", "curate", "preflight", "train"]
    return [*early, *(f"answer[{c}]" for c in CONTENDERS), "score", "gate", "bundle", "certify"]


def _stage(name: str, salt: str) -> dict:
    config = {"gate": {"tuned": "tuned"}, "freeze": {"text": "query"}, "prepare": {"task": TASK}}.get(name, {})
    key = identity.compute_key([name, salt])
    return {"name": name, "key": key, "inputs": {}, "after": [], "config": config, "identity": {"salt": salt}}


def _work(at: float, plan: list[dict], end: bool):
    for i, stage in enumerate(plan):
        name, key, begun = stage["name"], stage["key"], at + 1 + i * 3
        if name == "base":
            yield begun, events.StageCached(name, key)
            continue
        yield begun, events.StageStarted(name, key, "missing: no earlier run of this spec had this stage")
        if name == "train":
            yield from _training(begun)
        if name == "train" and not end:
            return
        if name == "curate":
            yield begun + 1, events.Noted(name, "warning", "3 rows were \x1b[31mdropped\x1b[0m")
        yield begun + 2, events.StageFinished(name, key, 20.5 if name == "train" else 1.5, 1.2, 812.0)


def _training(begun: float):
    for step in range(0, 300, 5):
        loss = 2.2 * math.exp(-step / 90) + 0.5 + 0.15 * math.sin(step)
        yield begun + step / 150, events.Measured("train", step, {"loss": loss, "learning_rate": 1e-3})
        yield begun + step / 150, events.Progress("train", step, 300, "steps")


def _store(store: Store, keys: dict[str, str], verdict: str, lift: float, n: int) -> None:
    draw = random.Random(7)
    ids = [f"q{i}" for i in range(n)]
    scores = {
        c: [min(1.0, max(0.0, draw.gauss(mean, 0.3) + (lift if c == "tuned" else 0))) for _ in ids]
        for c, mean in CONTENDERS.items()
    }
    outputs = {**_rows(ids), **_facts(n), **_judged(ids, scores, verdict)}
    for name, key in keys.items():
        place = store.locate_output(name, key)
        place.output.mkdir(parents=True, exist_ok=True)
        (place.final_folder / META_FILE).write_text(json.dumps({"stage": name, "key": key}))
        for file, content in outputs.get(name, {}).items():
            path = place.output / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                "".join(json.dumps(v) + "\n" for v in content) if isinstance(content, list) else json.dumps(content)
            )
    (store.locate_output("bundle", keys["bundle"]).output / "factory").mkdir(exist_ok=True)
    (store.locate_output("bundle", keys["bundle"]).output / "factory" / "manifest.json").write_text("{}")


def row(name: str, columns: dict, table: str = "") -> dict:
    origin = {"source": "icd10", "line": 3, "licence": "MIT", "generator": "", "parents": [], "detail": {}}
    return {"id": name, "columns": columns, "provenance": origin, "group": name[:2], "split": "", "table": table}


def _rows(ids: list[str]) -> dict[str, dict[str, list]]:
    documents = [row(f"N{i}", {"text": f"code {i} <b>& more</b>"}, "documents") for i in range(5)]
    signals = {k: [5.0, 4.0, 3.0, 2.0, 1.0] for k in ("bm25", "cosine", "hybrid")}
    test = [
        row(
            i,
            {
                "query": PHRASES[j % 4],
                "relevant": {f"N{j % 5}": 1},
                "candidates": [d["id"] for d in documents],
                "signals": signals,
            },
        )
        for j, i in enumerate(ids)
    ]
    draw = random.Random(3)
    answers = {
        f"answer[{c}]": {"answers.jsonl": [{"id": i, "output": [draw.random() for _ in documents]} for i in ids]}
        for c in CONTENDERS
    }
    return {"freeze": {"test.jsonl": test}, "gather": {"tables/documents.jsonl": documents}, **answers}


def _facts(n: int) -> dict[str, dict]:
    dropped = [
        {"row": row("t9", {"query": "hay fever"}), "step": "leakage", "why": "0.91 like a test row", "twin": "q3"}
    ]
    checks = [
        {
            "check": "truncated",
            "rows": 2,
            "share": 0.001,
            "limit": 0.02,
            "passed": True,
            "examples": [{"row": "t1", "text": "loses 14 tokens"}],
        },
        {"check": "unreachable", "rows": 610, "share": 0.28, "limit": 1.0, "passed": True, "examples": []},
    ]
    leakage = {
        "test_groups_in_training": 0,
        "exact": 0,
        "near": 0,
        "dropped": {"exact": 4, "near": 11},
        "compared": 2400,
        "threshold": 0.8,
    }
    funnel = [
        {"step": "exact", "in": 2180, "dropped": 30, "out": 2150},
        {"step": "leakage", "in": 2150, "dropped": 15, "out": 2135},
    ]
    return {
        "base": {
            "base.json": {
                "id": "org/mini",
                "revision": "mini==1",
                "digest": "ab" * 32,
                "licence": "Apache-2.0",
                "source": "wheel",
            }
        },
        "gather": {
            "gather.json": {
                "rows": 2600,
                "sources": [
                    {"kind": "icd10", "rows": 2600, "tables": {"documents": 4102}, "skipped": 0, "licence": "MIT"}
                ],
            },
            "tables/documents.jsonl": _rows([])["gather"]["tables/documents.jsonl"],
        },
        "synthesize": {
            "synthesize.json": {"steps": [{"kind": "hard-negatives", "added": 0, "changed": 2180}], "rows": 2180}
        },
        "curate": {"curate.json": {"funnel": funnel, "leakage": leakage}, "dropped.jsonl": dropped},
        "preflight": {"preflight.json": {"rows": 2135, "checks": checks}},
        "train": {
            "train.json": {
                "steps": 300,
                "modules": 36,
                "trainable": 1_200_000,
                "parameters": 23_900_000,
                "facts": {"precision": "bf16", "final_loss": 0.61, "rows": 2135},
            }
        },
    }


def _judged(ids: list[str], scores: dict[str, list[float]], verdict: str) -> dict[str, dict]:
    def mean(values: list[float], half: float = 0.045) -> dict:
        middle = sum(values) / len(values)
        return {"mean": middle, "low": middle - half, "high": middle + half, "n": len(values)}

    def against(c: str) -> dict:
        pairs = [a - b for a, b in zip(scores["tuned"], scores[c], strict=True)]
        half = 1.96 * 0.4 / len(pairs) ** 0.5
        middle = sum(pairs) / len(pairs)
        return {
            "baseline": c,
            "difference": middle,
            "low": middle - half,
            "high": middle + half,
            "p": 0.0004,
            "n": len(pairs),
            "won": sum(p > 0 for p in pairs),
            "lost": sum(p < 0 for p in pairs),
            "tied": sum(p == 0 for p in pairs),
        }

    lines = {
        f"{c}.jsonl": [
            {"id": i, "group": i, "values": {"ndcg@10": v, "mrr@10": v / 2}}
            for i, v in zip(ids, values, strict=True)
        ]
        for c, values in scores.items()
    }
    metrics = [
        {"name": m, "what": f"what {m} means", "higher_is_better": True, "binary": False} for m in ("ndcg@10", "mrr@10")
    ]
    contenders = {c: {"ndcg@10": mean(v), "mrr@10": mean([x / 2 for x in v], 0.03)} for c, v in scores.items()}
    gate = {
        "verdict": verdict,
        "metric": "ndcg@10",
        "margin": 0.0,
        "confidence": 0.95,
        "tuned": mean(scores["tuned"]),
        "comparisons": [against(c) for c in ("untuned", "bm25", "hybrid")],
        "best_baseline": "untuned",
        "reasons": ["the lower bound against untuned is above the margin"],
        "minimum_detectable_effect": 0.034,
        "n_to_settle": 1200 if verdict == "INSUFFICIENT_EVIDENCE" else None,
        "ceiling": {"candidate_recall": 0.72},
    }
    score = {"metrics": metrics, "contenders": contenders, "confidence": 0.95, "primary": "ndcg@10"}
    freeze = {
        "counts": {"train": 2180, "validation": 120, "test": len(ids)},
        "groups": {"train": 700, "validation": 40, "test": 90},
        "digests": {"validation": "12" * 32, "test": "34" * 32},
        "own_split": 0,
    }
    return {
        "score": {"score.json": score, **lines},
        "gate": {"gate.json": gate},
        "freeze": {**_rows(ids)["freeze"], "freeze.json": freeze},
    }
