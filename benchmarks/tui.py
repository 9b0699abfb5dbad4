"""Terminal interface on a large home: a thousand runs of a thousand training steps each.

Prints, as JSON: seconds to the first screen (process start included), without and with the index; the 95th percentile
of the time from a key to the settled screen; resident memory; and how a run that is written at 200 events per second is
followed. Needs no build.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.screen import Screen

from factory import events
from factory.store.journal import Journal
from factory.tui.app import FactoryApp

START_TIME = 1_795_000_000.0
STAGES = (
    "base", "gather", "prepare", "freeze", "curate", "preflight", "train", "answer[tuned]", "score", "gate",
    "bundle", "certify",
)
KEYS = ("down", "down", "j", "pagedown", "up", "s", "space", "end", "home", "S")
PAST_RUN_KEYS = ("down", "left", "left", "right", "j", "left", "up", "m", "w", "L")
SIZES = ((60, 20), (80, 24), (200, 60))
EVENTS_PER_SECOND = 200
"""Rate at which the live run is written."""


def write_home(home: Path, runs: int, rows: int) -> None:
    """Write runs as builds do: a plan, metrics and progress, and an end, which every tenth run lacks."""
    plan = [
        {"name": name, "key": f"{index:032x}", "inputs": {}, "config": {"setting": "x" * 400}}
        for index, name in enumerate(STAGES)
    ]
    for number in range(runs):
        at = START_TIME + number * 3600
        run = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}-specialist-{number % 40:02d}-{number % 65536:04x}"
        folder = home / "runs" / run
        folder.mkdir(parents=True)
        started = events.RunStarted(
            run, f"specialist-{number % 40:02d}", "classifier", "a.yaml", "", plan, [], "0", 2**30
        )
        run_events: list[tuple[float, events.Event]] = [(at, started)]
        run_events += [(at + 1, events.StageCached(name, f"{i:032x}")) for i, name in enumerate(STAGES[:6])]
        run_events.append((at + 2, events.StageStarted("train", f"{6:032x}", "missing: no earlier run")))
        run_events += _build_training_events(at + 3, rows)
        if number % 10:
            run_events.append(
                (at + rows, events.RunFinished(run, "SHIP" if number % 3 else "NO_SHIP", 0, rows * 1.0, "b"))
            )
        lines = (json.dumps({"at": when, **events.to_json(event)}, separators=(",", ":")) for when, event in run_events)
        (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")


def _build_training_events(at: float, rows: int) -> list[tuple[float, events.Event]]:
    training_events: list[tuple[float, events.Event]] = []
    for step in range(rows):
        loss = 2 * math.exp(-step / 200) + 0.3 + 0.1 * math.sin(step)
        training_events.append((at + step, events.Measured("train", step, {"loss": loss, "learning_rate": 1e-3})))
        if step % 4 == 0:
            training_events.append((at + step, events.Progress("train", step, rows, "steps")))
    return training_events


def measure_first_screen(home: Path) -> float:
    """Return the seconds from the start of the interpreter until runs are on the screen."""
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom factory.tui.app import create_app\n"
        "async def main():\n    app = create_app(Path(sys.argv[1]), '', [])\n"
        "    async with app.run_test(size=(80, 24)) as pilot:\n"
        "        while len(app.screen.listing('list').table.rows) < 10:\n            await pilot.pause(0)\n"
        "        print('up', flush=True)\n        import os; os._exit(0)\nasyncio.run(main())"
    )
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    seconds = time.perf_counter() - start
    process.wait()
    return seconds


class TimedFactoryApp(FactoryApp):
    """The app, which records the time of the first output to the terminal since `first_display_at` was reset."""

    first_display_at = 0.0

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        super()._display(screen, renderable)
        self.first_display_at = self.first_display_at or time.perf_counter()


async def measure_key_latency(
    home: Path, size: tuple[int, int], screen: str, keys: Sequence[str] = KEYS
) -> list[float]:
    """Return, for each of many keys, the seconds until the screen shows its effect."""
    app = TimedFactoryApp(home, start_screen=screen)
    latencies = []
    async with app.run_test(size=size) as pilot:
        while app.refresh_steps is not None or app.refresh_count == 0:
            await pilot.pause(0.05)
        await app.workers.wait_for_complete()
        for _ in range(8):
            for key in keys:
                app.first_display_at, start = 0.0, time.perf_counter()
                await pilot.press(key)
                latencies.append(max(0.0, app.first_display_at - start))
    return latencies


async def measure_live_run(home: Path, seconds: float) -> dict[str, Any]:
    """Show a run that is written at EVENTS_PER_SECOND; returns refreshes per second and the longest wait."""
    run = "20991231-000000-live-ffff"
    path = home / "runs" / run / "journal.jsonl"
    plan = [{"name": name, "key": f"{index:032x}"} for index, name in enumerate(STAGES)]
    written = threading.Event()

    def write() -> None:
        with Journal(path) as journal:
            journal.write(events.RunStarted(run, "live", "t", "a.yaml", "", plan, [], "0", os.getpid()))
            journal.write(events.StageStarted("train", "k", "new"))
            written.set()
            for step in range(int(seconds * EVENTS_PER_SECOND)):
                journal.write(events.Measured("train", step, {"loss": 2 / (1 + step / 50)}))
                time.sleep(max(0.0, start + step / EVENTS_PER_SECOND - time.perf_counter()))

    start = time.perf_counter()
    threading.Thread(target=write, daemon=True).start()
    written.wait()
    app = FactoryApp(home, start_screen="run")
    app.state.selected_run = run
    gaps, last = [], time.perf_counter()
    async with app.run_test(size=(200, 60)) as pilot:
        ticks = app.tick_count
        while time.perf_counter() - start < seconds:
            await asyncio.sleep(0.005)
            gaps.append(time.perf_counter() - last - 0.005)
            last = time.perf_counter()
        shown = len(app.state.get_watcher(run).get_curve("loss"))
        await pilot.pause(0)
        return {
            "events_shown": shown, "beats_a_second": round((app.tick_count - ticks) / seconds, 1),
            "longest_wait_ms": round(1000 * max(gaps), 1),
            "p95_wait_ms": round(1000 * compute_quantile(gaps, 0.95), 1),
        }


def compute_quantile(values: list[float], share: float) -> float:
    """Return the value below which the share of values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Write the home, measure, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--home", type=Path, help="folder of the synthetic home; created if missing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        if not (home / "runs").is_dir():
            write_home(home, options.runs, options.rows)
        (home / "cache" / "runs-index.json").unlink(missing_ok=True)
        report: dict[str, Any] = {"runs": options.runs, "rows": options.runs * options.rows}
        report["first_screen_cold_s"] = round(measure_first_screen(home), 3)
        for size in SIZES:
            latencies = asyncio.run(measure_key_latency(home, size, "runs"))
            report[f"key_{size[0]}x{size[1]}_ms"] = {
                "p50": round(1000 * compute_quantile(latencies, 0.5), 1),
                "p95": round(1000 * compute_quantile(latencies, 0.95), 1),
            }
        report["first_screen_s"] = round(measure_first_screen(home), 3)
        report["key_run_ms"] = round(
            1000 * compute_quantile(asyncio.run(measure_key_latency(home, (200, 60), "run", PAST_RUN_KEYS)), 0.95), 1
        )
        report["memory_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        report["followed"] = asyncio.run(measure_live_run(home, 8.0))
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
