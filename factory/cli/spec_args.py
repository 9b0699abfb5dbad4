"""Arguments, options and loading steps shared by the commands that take a spec."""

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
profile_option: Decorator = click.option("--profile", default="", help="Apply a profile of the spec, such as smoke.")
set_option: Decorator = click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE",
    help="Override a field, such as train.epochs=3; repeatable.",
)
force_option: Decorator = click.option(
    "--force", multiple=True, metavar="STAGE", help="Rerun a stage and its dependants, even if cached; repeatable."
)
plugins_option: Decorator = click.option(
    "--plugins", "folders", multiple=True, metavar="DIR", type=click.Path(path_type=Path, resolve_path=True),
    help="Also load the plugins of a folder, for this command only; repeatable.",
)


def load_resolved_spec(
    spec: Path, profile: str, overrides: Sequence[str], folders: Sequence[Path] = ()
) -> ResolvedSpec:
    """Return the spec with all defaults. If it is invalid, plugins that failed to load are noted on standard error."""
    from factory.registry.registry import load_installed_registry
    from factory.spec.layers import resolve_spec
    from factory.views.formatting import clean_line

    registry = load_installed_registry(tuple(folders))
    try:
        with redirect_stdout(sys.stderr):  # standard output is for results; plugins may print on import
            return resolve_spec(spec, profile=profile, overrides=overrides, registry=registry)
    except InputError:
        for failure in registry.failures:
            text = f"plugin package {failure.package} failed to load: {failure.reason}; {failure.remedy}"
            print_note(clean_line(f"note: {text}"))
        raise


def collect_stage_reasons(plan: Plan, force: Sequence[str] = ()) -> list[StageReason]:
    """Return, for each stage in plan order, whether and why it would run."""
    from factory.plan.explain import explain_plan
    from factory.store.journal import find_last_plan
    from factory.store.outputs import Store
    from factory.store.paths import find_home

    check_stage_names(plan, force)
    return explain_plan(plan, Store(find_home()), find_last_plan(find_home(), plan.name), force)


def check_stage_names(plan: Plan, stages: Sequence[str]) -> None:
    """Raise InputError for a stage that is not in the plan, with the closest name."""
    import difflib

    for stage in stages:
        if stage not in plan.list_stage_names():
            near = difflib.get_close_matches(stage, plan.list_stage_names(), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"stages: {', '.join(plan.list_stage_names())}"
            raise InputError(f"unknown stage {stage!r}; {hint}")
