"""From a spec on disk to its plan and the reasons of its stages: what `plan`, `why` and `build` have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli.output import print_note
from factory.errors import InputError

if TYPE_CHECKING:
    from factory.plan.compiler import Plan
    from factory.plan.explain import StageReason
    from factory.spec.layers import ResolvedSpec

Decorator = Callable[[Any], Any]

spec_argument: Decorator = click.argument("spec", type=click.Path(path_type=Path))
profile_option: Decorator = click.option("--profile", default="", help="A named partial spec, such as smoke.")
set_option: Decorator = click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Set one value, such as train.epochs=3."
)
force_option: Decorator = click.option(
    "--force", multiple=True, metavar="STAGE", help="Run this stage, and all that stands on it, though it is cached."
)
plugins_option: Decorator = click.option(
    "--plugins", "folders", multiple=True, metavar="DIR", type=click.Path(path_type=Path, resolve_path=True),
    help="A folder of this project's own plugins; they count for this command alone.",
)


def load_resolved_spec(spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path] = ()) -> ResolvedSpec:
    """The spec with all defaults. Plugins that did not load are named on standard error when the spec is wrong."""
    from factory.registry.registry import load_installed_registry
    from factory.spec.layers import resolve_spec
    from factory.views.formatting import clean_line

    registry = load_installed_registry(tuple(folders))
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints is no result
            return resolve_spec(spec, profile=profile, overrides=overrides, registry=registry)
    except InputError:
        for failure in registry.failures:
            print_note(clean_line(f"note: the plugin package {failure.package} did not load: {failure.reason}; {failure.remedy}"))
        raise


def collect_stage_reasons(plan: Plan, force: Sequence[str] = ()) -> list[StageReason]:
    """Why each stage of a plan would run, in its order."""
    from factory.plan.explain import explain_plan
    from factory.store.journal import find_last_plan
    from factory.store.outputs import Store
    from factory.store.paths import find_home

    check_stage_names(plan, force)
    return explain_plan(plan, Store(find_home()), find_last_plan(find_home(), plan.name), force)


def check_stage_names(plan: Plan, stages: Sequence[str]) -> None:
    """Raise InputError for a stage that the plan does not have, with the nearest name."""
    import difflib

    for stage in stages:
        if stage not in plan.list_stage_names():
            near = difflib.get_close_matches(stage, plan.list_stage_names(), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(plan.list_stage_names())}"
            raise InputError(f"no stage {stage!r}; {hint}")
