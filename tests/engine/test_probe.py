"""What training did to what nobody trained for, and what the gate makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from tiny_parts import Voice
from verdict_parts import verdict

from factory.api import Probe, ProbeJob, ProbeResult
from factory.data.rows import read_json, read_jsonl, write_json
from factory.evaluation.paired_tests import ScoreTest
from factory.registry.registry import Registry
from factory.stages import forgetting
from factory.stages.job import StageJob
from factory_general.general_probe import OWN_SUITE_PATH


class Sums(Probe):
    """Sums, of which the base gets three in four; the tuned model `keeps` so many of them in ten."""

    kind = "sums"
    keeps: int = 10
    count: int = 160

    def probe(self, job: ProbeJob) -> Iterator[ProbeResult]:
        for place in range(self.count):
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
    assert len(list(read_jsonl(folder / "out" / "items.jsonl"))) == fields.get("count", 160)
    found: dict[str, object] = read_json(folder / "out" / "forgetting.json")
    return found


def test_a_suite_that_holds_does_not_matter_and_one_that_falls_is_no_ship(tmp_path: Path) -> None:
    same, worse = probed(tmp_path / "same"), probed(tmp_path / "worse", keeps=5)
    assert same["drift"] == {"kl": 0.123457}
    (suite,) = worse["suites"]  # type: ignore[misc]
    assert suite["base"] == 0.75 and suite["tuned"] == 0.35 and suite["high"] < 0
    held = verdict({"untuned": -0.2}, probes=[same])
    assert held["verdict"] == "SHIP"
    assert held["reasons"][-1] == "sums: falls of 0.030 and more would be seen on its 160 items in 80 % of such builds"
    found = verdict({"untuned": -0.2}, probes=[same, worse])
    assert found["verdict"] == "NO_SHIP"
    assert found["reasons"][0].startswith("tuned forgot: sums fell from 0.750 to 0.350")


def test_a_fall_within_the_tolerance_is_borne(tmp_path: Path) -> None:
    borne = probed(tmp_path / "borne", keeps=5, tolerance=0.5)
    assert verdict({"untuned": -0.2}, probes=[borne])["verdict"] == "SHIP"


def test_a_suite_too_small_to_exclude_the_fall_does_not_pass_and_says_what_it_can_see(tmp_path: Path) -> None:
    small = probed(tmp_path / "small", count=40)
    (suite,) = small["suites"]  # type: ignore[misc]
    # Tango's interval of no difference in 40 rows, and the error of three rows that differ.
    assert suite["low"] == pytest.approx(-0.0876, abs=1e-4)
    assert suite["smallest_fall"] == pytest.approx(2.8016 * 3**0.5 / 40, abs=1e-4)
    found = verdict({"untuned": -0.2}, probes=[small])
    assert found["verdict"] == "INSUFFICIENT_EVIDENCE" and found["n_to_settle"] is None
    assert found["unproven"][0] == (
        "a fall of 0.05 on sums is not excluded (difference -0.088 to 0.088): its 40 items show only falls of 0.121 "
        "and more"
    )
    assert found["reasons"][0] == found["unproven"][0]
    assert verdict({"untuned": 0.2}, probes=[small])["verdict"] == "NO_SHIP"


def test_310_items_of_which_one_in_ten_changes_see_five_points() -> None:
    test = ScoreTest(won=16, lost=15, rows=310)
    assert test.compute_detectable_effect(0.95, 0.8) == pytest.approx(0.05, abs=0.001)
    assert test.compute_bounds(0.95)[0] > -0.05
    # A true fall of 0.08 on 120 items of which a fifth change is no pass: it passed in 53 of 100 builds.
    draw, passes = np.random.default_rng(0), 0
    for won, lost, _ in draw.multinomial(120, [0.06, 0.14, 0.8], 400):
        passes += ScoreTest(int(won), int(lost), 120).compute_bounds(0.95)[0] > -0.05
    assert passes <= 0.025 * 400


def test_the_documented_falls_are_those_that_the_built_in_suite_sees() -> None:
    text = (Path(forgetting.__file__).parents[1] / "evaluation" / "README.md").read_text().replace("−", "-")
    rows = re.findall(r"\| (\d+) \| (-0\.\d{3}) \| (0\.\d{3}) \| (\d+) answers \|", text)
    assert [int(row[0]) for row in rows] == [0, 2, 4, 8, 16, 32, 64]
    size = len(list(read_jsonl(OWN_SUITE_PATH)))
    for changed, low, fall, passes in rows:
        half = int(changed) // 2
        test = ScoreTest(half, half, size)
        assert test.compute_bounds(0.95)[0] == pytest.approx(float(low), abs=0.0006)
        assert test.compute_detectable_effect(0.95, 0.8) == pytest.approx(float(fall), abs=0.0006)
        most, more = (ScoreTest(half, half + int(passes) + step, size).compute_bounds(0.95)[0] for step in (0, 1))
        assert most > -0.05 >= more
    falls = {changed: ScoreTest(changed // 2, changed // 2, size) for changed in (84, 86, 170, 172)}
    assert falls[84].compute_detectable_effect(0.95, 0.8) < 0.05 < falls[86].compute_detectable_effect(0.95, 0.8)
    assert falls[170].compute_bounds(0.95)[0] > -0.05 > falls[172].compute_bounds(0.95)[0]
