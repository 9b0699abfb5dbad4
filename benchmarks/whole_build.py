"""A whole build, timed: each stage from an empty store to the verdict, and the same command again.

Wheels of bases are taken from the home's cache, so that no download is timed.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from entry import run_main

from factory.runs.run_view import find_run
from factory.store.paths import find_home


def build_once(spec: Path, home: Path, profile: str, overrides: tuple[str, ...]) -> tuple[float, float]:
    """Build a spec in a home; return wall seconds, and CPU seconds of all its processes."""
    settings = ["--profile", profile] if profile else []
    settings += [part for override in overrides for part in ("--set", override)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.run(
        [sys.executable, "-m", "factory", "build", str(spec), *settings],
        env={**os.environ, "FACTORY_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        check=False,
    )
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode not in (0, 2, 3):
        raise click.ClickException(process.stderr.strip().splitlines()[-1])
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@click.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True), default=Path("specs/reranker.yaml"))
@click.option("--profile", default="", help="as `factory build --profile`")
@click.option("--set", "overrides", multiple=True, help="as `factory build --set`")
@click.option("--json", "as_json", is_flag=True, help="print the figures as JSON")
def main(spec: Path, profile: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the seconds of each stage, and of a first and a second build of SPEC."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        if (cache := find_home() / "cache").is_dir():
            (home / "cache").symlink_to(cache.resolve())
        first = build_once(spec, home, profile, overrides)
        view = find_run(home, "latest")
        second = build_once(spec, home, profile, overrides)
        stages = {name: round(stage.seconds, 2) for name, stage in view.stages.items()}
    figures = {
        "wall": round(first[0], 1), "cpu": round(first[1], 1), "verdict": view.verdict, "stages": stages,
        "again": round(second[0], 2), "again_cpu": round(second[1], 2),
    }
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, seconds in stages.items():
        click.echo(f"{name:30} {seconds:8.1f} s  {seconds / first[0]:6.1%}")
    click.echo(f"whole build: {first[0]:.1f} s, {first[1]:.1f} CPU s, {view.verdict}; again: {second[0]:.2f} s")


if __name__ == "__main__":
    run_main(main)
