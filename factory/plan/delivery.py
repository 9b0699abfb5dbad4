"""What the stages bundle and certify need to deliver another contender than tuned."""

from __future__ import annotations

from typing import Any

from factory.api.deployable_contender import list_deployable
from factory.plan.backend_choice import build_backend_choice
from factory.spec.fields import DELIVER_BEST
from factory.spec.layers import ResolvedSpec


def build_delivery_parts(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return the parts of a stage with the contenders that can be deployed; {} if none can.

    The verdict chooses among them when the stage runs, so that no key depends on it.
    """
    deployable = {contender.kind: contender for contender in list_deployable(resolved.contenders, resolved.task)}
    parts = {"deployable": deployable, "uses": list(deployable.values()), **build_backend_choice(resolved)}
    return parts if deployable else {}


def build_deliver_part(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return `deliver` only if it is not the default, so that the default adds nothing to a key."""
    deliver = resolved.spec.deliver
    return {} if deliver == DELIVER_BEST else {"deliver": deliver}
