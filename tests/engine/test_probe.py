"""What training did to what nobody trained for, and what the gate makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from tiny_parts import Voice
from verdict_parts import verdict

from factory.api import Probe, ProbeJob, ProbeResult
from factory.data.rows import read_json, read_jsonl, write_json
from factory.registry.registry import Registry
from factory.stages import forgetting
from factory.stages.job import StageJob


class Sums(Probe):
    """Forty sums, of which the base gets three in four; the tuned model `keeps` so many of them in ten."""

    kind = "sums"
    keeps: int = 10

    def probe(self, job: ProbeJob) -> Iterator[ProbeResult]:
        for place in range(40):
            base = float(place % 4 > 0)
            yield ProbeResult(f"s{place}", "sums", base, base * float(place % 10 < self.keeps))

    def compute_drift(self, job: ProbeJob) -> Mapping[str, float]:
        return {"kl": 0.1234567891}


def probed(folder: Path, **fields: object) -> dict[str, object]:
    for name in ("base", "train", "out"):
        (folder / name).mkdir(parents=True)
    facts = {"id": "a/b", "revision": "1", "digest": "d", "licence": "MIT"}
    write_json(folder / "base" / "base.json", facts)
    write_json(folder / "train" / "train.json", {"artifact": "adapter"})
    config = {"probe": {"kind": "sums", **fields}, "seed": 7}
    inputs = {"base": folder / "base", "train": folder / "train"}
    forgetting.run(StageJob(
        "forgetting[sums]", config, inputs, folder / "out", folder, folder, folder, Voice(),
        Registry.from_classes([Sums])
    ))
    assert len(list(read_jsonl(folder / "out" / "items.jsonl"))) == 40
    found: dict[str, object] = read_json(folder / "out" / "forgetting.json")
    return found


def test_a_suite_that_holds_does_not_matter_and_one_that_falls_is_no_ship(tmp_path: Path) -> None:
    same, worse = probed(tmp_path / "same"), probed(tmp_path / "worse", keeps=5)
    assert same["drift"] == {"kl": 0.123457}
    (suite,) = worse["suites"]  # type: ignore[misc]
    assert suite["base"] == 0.75 and suite["tuned"] == 0.35 and suite["high"] < 0
    assert verdict({"untuned": -0.2}, probes=[same])["verdict"] == "SHIP"
    found = verdict({"untuned": -0.2}, probes=[same, worse])
    assert found["verdict"] == "NO_SHIP"
    assert found["reasons"][0].startswith("tuned forgot: sums fell from 0.750 to 0.350")


def test_a_fall_within_the_tolerance_or_within_chance_is_borne(tmp_path: Path) -> None:
    borne = probed(tmp_path / "borne", keeps=5, tolerance=0.5)
    assert verdict({"untuned": -0.2}, probes=[borne])["verdict"] == "SHIP"
    noise = np.random.default_rng(0).choice([-1, 0, 1], 40)
    unclear = {**borne, "tolerance": 0.0, "suites": [
        {"suite": "noise", "n": 40, "base": 0.5, "tuned": 0.45, "difference": -0.05,
         "low": float(noise.min()), "high": 0.1},
    ]}
    assert verdict({"untuned": -0.2}, probes=[unclear])["verdict"] == "SHIP"
