"""The fresh process of certify: loads the bundle with its plain library and writes its answers to the golden rows."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from factory import network_policy
from factory.api import Artifact, Base, NoOpReporter, ReferenceAnswers, ReferenceJob, Task
from factory.bundle import find_exporting_contender, load_manifest, open_bundle_artifact, read_golden
from factory.data.rows import write_json
from factory.registry.registry import Registry
from factory.stages.certify import sort_by_row
from factory.stages.delivery import load_responder


def answer_golden_rows(request: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """Answer the golden rows with the bundle, then with the base alone."""
    config, folder = request["config"], Path(request["bundle"])
    golden = read_golden(folder)
    task = cast(Task, registry.make_plugin("task", config["task"]))
    objective = load_responder(registry, config, find_exporting_contender(load_manifest(folder)), task)
    base = Base(Path(request["base"]), **request["base_facts"])

    def answer(artifact: Artifact | None) -> ReferenceAnswers:
        return objective.generate_reference_answers(ReferenceJob(
            seed=int(config["seed"]), report=NoOpReporter(), root=Path(request["root"]), tables=golden.tables,
            rows=golden.rows, base=base, task=task, artifact=artifact, judged_answers=golden.answers,
        ))

    tuned, untuned = answer(open_bundle_artifact(folder, base)), answer(None)
    ids = [row.id for row in golden.rows]
    reply: dict[str, Any] = {"modules": tuned.modules, "library": tuned.library}
    if tuned.scored:
        texts = {"tuned": tuned.scored, "untuned": untuned.scored, "greedy": tuned.greedy}
        return {**reply, "texts": {name: list(map(asdict, sort_by_row(own, ids))) for name, own in texts.items()}}
    answers = {"tuned": tuned.answers, "untuned": untuned.answers}
    return {**reply, **{name: [each.output for each in sort_by_row(own, ids)] for name, own in answers.items()}}


def _exit_with_parent(parent: int) -> None:
    """Exit when the worker exits, so that a killed build leaves no process behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Run `python -m factory.stages.certify_child REQUEST.json`."""
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
    network_policy.install_audit_hook()
    network_policy.deny_all_hosts("certify")
    request = json.loads(Path(sys.argv[1]).read_text())
    write_json(Path(request["reply"]), answer_golden_rows(request, Registry.load(map(Path, request["plugins"]))))


if __name__ == "__main__":
    main()
