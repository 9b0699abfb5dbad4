"""What the stages bundle and certify need to deliver another contender than tuned."""

from __future__ import annotations

from typing import Any

from factory.api import DeployableContender
from factory.spec.fields import DELIVER_BEST
from factory.spec.layers import ResolvedSpec


def list_deployable(resolved: ResolvedSpec) -> list[DeployableContender]:
    """Return the contenders of a spec that can be deployed in place of tuned."""
    return [
        contender for contender in resolved.contenders
        if isinstance(contender, DeployableContender) and contender.in_gate
        and contender.find_responder(resolved.task) is not None
    ]


def build_delivery_parts(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return the parts of a stage with the contenders that can be deployed; {} if none can.

    The verdict chooses among them when the stage runs, so that no key depends on it.
    """
    deployable = {contender.kind: contender for contender in list_deployable(resolved)}
    backend = resolved.spec.train.backend
    choice = {} if backend == "auto" else {"backend": backend}
    return {"deployable": deployable, "uses": list(deployable.values()), **choice} if deployable else {}


def build_deliver_part(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return `deliver` only if it is not the default, so that the default adds nothing to a key."""
    deliver = resolved.spec.deliver
    return {} if deliver == DELIVER_BEST else {"deliver": deliver}
