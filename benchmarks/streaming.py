"""Streaming: time and peak memory of the stages before training, run as in a worker process.

The rows are synthetic: labelled texts of a dozen words, without a model.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from entry import run_main

STAGES = ("base", "gather", "prepare", "freeze", "synthesize", "curate")
SPEC = """\
apiVersion: factory/v1
name: streaming
task: classifier
models: {student: ./base}
data:
  sources:
    - {kind: jsonl, file: rows.jsonl, columns: [text, label]}
  split: {test: 1000, validation: 500}
"""


def write_project(folder: Path, count: int) -> None:
    """Write a spec, a base that is never loaded, and the rows."""
    (folder / "base").mkdir()
    (folder / "base" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / "base" / "model.safetensors").write_bytes(b"")
    (folder / "spec.yaml").write_text(SPEC)
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 9))) for _ in range(20_000)]
    with (folder / "rows.jsonl").open("w") as file:
        for number in range(count):
            text = f"{' '.join(draw.choices(words, k=12))} {number - number % 50}"
            file.write(json.dumps({"text": text, "label": f"label {draw.randrange(20)}"}) + "\n")


def measure_stages(folder: Path) -> None:
    """Run the stages one after another in this process and print a line of JSON for each."""
    from factory.api import NoOpReporter
    from factory.plan.compiler import compile_plan
    from factory.registry.registry import Registry
    from factory.spec.layers import resolve_spec
    from factory.stages.job import StageJob

    registry = Registry.load()
    plan = compile_plan(resolve_spec(folder / "spec.yaml", profile="", overrides=(), registry=registry))
    for name in STAGES:
        stage, out, start = plan[name], folder / "out" / name, (time.perf_counter(), time.process_time())
        (folder / "work" / name).mkdir(parents=True)
        out.mkdir(parents=True)
        inputs = {role: folder / "out" / other for role, other in stage.inputs.items()}
        job = StageJob(
            stage=name, config=stage.config, inputs=inputs, out=out, work=folder / "work" / name, root=folder,
            home=folder, report=NoOpReporter(), registry=registry,
        )
        __import__(stage.module_name, fromlist=["run"]).run(job)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        seconds, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        print(json.dumps({"stage": name, "seconds": seconds, "cpu": cpu, "peak": peak}), flush=True)


@click.command()
@click.argument("counts", type=int, nargs=-1)
@click.option("--inside", type=click.Path(path_type=Path), hidden=True, help="measure in this prepared folder")
def main(counts: tuple[int, ...], inside: Path | None) -> None:
    """Measure files of COUNTS rows, by default 100,000 and 1,000,000."""
    if inside:
        measure_stages(inside)
        return
    for count in counts or (100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name).resolve()
            write_project(folder, count)
            size = (folder / "rows.jsonl").stat().st_size / 2**20
            print(f"{count:,} rows, {size:.0f} MiB")
            command = [sys.executable, __file__, "--inside", str(folder)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                total = cpu = 0.0
                for line in process.stdout or ():
                    measures = json.loads(line)
                    total, cpu = total + measures["seconds"], cpu + measures["cpu"]
                    times = f"{measures['seconds']:7.1f} s {measures['cpu']:7.1f} CPU s"
                    print(f"  {measures['stage']:<11} {times}   peak so far {measures['peak']:7.0f} MiB", flush=True)
            if process.returncode:
                raise SystemExit(process.returncode)
            rate = f"{count / total:,.0f} rows a second, {count / cpu:,.0f} a CPU second"
            print(f"  together    {total:7.1f} s {cpu:7.1f} CPU s   {rate}", flush=True)


if __name__ == "__main__":
    run_main(main)
