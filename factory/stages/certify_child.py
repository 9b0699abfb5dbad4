"""The fresh process of certify: loads the bundle with its plain library and writes its answers to the golden rows."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

from factory import network_policy
from factory.api import Artifact, Base, ModelJob, NoOpReporter, Objective, Task
from factory.bundle import open_bundle_artifact, read_golden
from factory.data.rows import write_json
from factory.registry.registry import Registry
from factory.stages.certify import order_golden_outputs


def answer_golden_rows(request: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """Answer the golden rows with the bundle, then with the base alone."""
    config, folder = request["config"], Path(request["bundle"])
    golden = read_golden(folder)
    task = cast(Task, registry.make_plugin("task", config["task"]))
    objective = cast(Objective, registry.make_plugin("objective", config["objective"]))
    base = Base(Path(request["base"]), **request["base_facts"])

    def answer(artifact: Artifact | None) -> Any:
        return objective.generate_reference_answers(ModelJob(
            seed=int(config["seed"]), report=NoOpReporter(), root=Path(request["root"]), tables=golden.tables,
            rows=golden.rows, base=base, task=task, artifact=artifact,
        ))

    ids = [row.id for row in golden.rows]
    tuned, untuned = answer(open_bundle_artifact(folder, base)), answer(None)
    return {
        "tuned": order_golden_outputs(tuned.answers, ids), "untuned": order_golden_outputs(untuned.answers, ids),
        "modules": tuned.modules, "library": tuned.library,
    }


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
