"""What digests cost a build: CPU seconds of everything that hashes or checks digests, of all its processes.

Each process of the build times the outermost calls of `factory.identity` and `factory.store.integrity`: keys of the
plan, digests of bases and rows, those that a stage's output is sealed with, and those that a reader checks.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from entry import run_main
from whole_build import build_once

from factory.store.paths import find_home

TIMER = '''
import os, sys, threading, time
if "factory" in " ".join(sys.orig_argv):
    import factory.identity, factory.store.integrity
    state, lock = threading.local(), threading.Lock()
    total = 0.0
    book = os.open(f"{os.environ['DIGEST_BOOK']}/{os.getpid()}", os.O_WRONLY | os.O_CREAT)

    def wrap(call):
        def measure(*arguments, **more):
            global total
            if getattr(state, "is_inside", False):
                return call(*arguments, **more)
            state.is_inside, start = True, time.thread_time()
            try:
                return call(*arguments, **more)
            finally:
                state.is_inside = False
                with lock:  # at once, as a worker is ended without a word
                    total += time.thread_time() - start
                    os.pwrite(book, f"{total:.6f}".encode(), 0)
        return measure

    for module in (factory.identity, factory.store.integrity):
        for name, value in list(vars(module).items()):
            is_own = getattr(value, "__module__", "") == module.__name__ and not isinstance(value, type)
            if is_own and not name.startswith("_"):
                setattr(module, name, wrap(value))
'''


@click.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True), default=Path("specs/reranker.yaml"))
@click.option("--profile", default="smoke", show_default=True)
def main(spec: Path, profile: str) -> None:
    """Build SPEC twice from an empty store, and print the share of CPU seconds that digests take of each build."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        home, book = folder / "home", folder / "book"
        for each in (home, book):
            each.mkdir()
        (folder / "sitecustomize.py").write_text(TIMER)
        if (cache := find_home() / "cache").is_dir():
            (home / "cache").symlink_to(cache.resolve())
        os.environ["PYTHONPATH"] = os.pathsep.join([name, os.environ.get("PYTHONPATH", "")])
        os.environ["DIGEST_BOOK"] = str(book)
        spent = 0.0
        for title in ("first build", "the same again"):
            _, cpu = build_once(spec, home, profile, ())
            total = sum(float(file.read_text() or 0) for file in book.iterdir())
            click.echo(f"{title}: {cpu:.1f} CPU s, digests {total - spent:.2f} CPU s, {(total - spent) / cpu:.1%}")
            spent = total


if __name__ == "__main__":
    run_main(main)
