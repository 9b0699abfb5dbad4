"""Arguments, options and loading steps shared by the commands that take a spec."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli.output import print_note
from factory.errors import InputError
from factory.store.paths import find_home
from factory.text.suggestions import suggest_known_name
from factory.views.formatting import clean_line

if TYPE_CHECKING:
    from factory.plan.compiler import Plan
    from factory.plan.explain import StageReason
    from factory.registry.registry import Registry
    from factory.spec.layers import ResolvedSpec

Decorator = Callable[[Any], Any]
force_option: Decorator = click.option(
    "--force", multiple=True, metavar="STAGE", help="Rerun a stage and its dependants, even if cached; repeatable."
)
plugins_option: Decorator = click.option(
    "--plugins", "folders", multiple=True, metavar="DIR", type=click.Path(path_type=Path, resolve_path=True),
    help="Also load the plugins in a folder, for this command only; repeatable.",
)
SPEC_PARAMETERS: tuple[Decorator, ...] = (
    click.argument("spec", type=click.Path(path_type=Path)),
    click.option("--profile", default="", help="Apply a profile of the spec, such as smoke."),
    click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE",
                 help="Override a field, such as train.epochs=3, or one of a list item, such as "
                 "data.sources.0.file=x.csv (items count from 0); the value is YAML; repeatable."),
    plugins_option,
    click.option("--allow", "hosts", multiple=True, metavar="HOST",
                 help="Let the spec send rows, and the variables that it names, to a host; remembered, repeatable."),
    click.option("--allow-path", "paths", multiple=True, metavar="DIR", type=click.Path(path_type=Path),
                 help="Let specs read files in a folder outside of their project; remembered, repeatable."),
)


@dataclass(frozen=True, slots=True)
class SpecArguments:
    """SPEC and the options that change what it resolves to."""

    file: Path
    profile: str
    overrides: tuple[str, ...]
    folders: tuple[Path, ...]
    allowed_hosts: tuple[str, ...] = ()
    allowed_paths: tuple[Path, ...] = ()

    def load_registry(self) -> Registry:
        """Return the registry of the installed plugins and those in `--plugins` folders."""
        from factory.registry.registry import load_installed_registry

        return load_installed_registry(self.folders)

    def resolve(self) -> ResolvedSpec:
        """Return the spec with all defaults; if it is invalid, print which plugins failed to load, and raise."""
        from factory.runs.incumbents import attach_incumbents
        from factory.spec.layers import resolve_spec

        registry = self.load_registry()
        try:
            with redirect_stdout(sys.stderr):  # standard output is for results; plugins may print on import
                resolved = resolve_spec(self.file, profile=self.profile, overrides=self.overrides, registry=registry)
                resolved = attach_incumbents(resolved, registry, find_home())
                self._remember_consents(resolved)
                return resolved
        except InputError:
            for failure in registry.failures:
                text = f"plugin package {failure.package} failed to load: {failure.reason}; {failure.remedy}"
                print_note(clean_line(f"note: {text}"))
            raise


    def _remember_consents(self, resolved: ResolvedSpec) -> None:
        if not self.allowed_hosts and not self.allowed_paths:
            return
        from factory.engine.consent import allow_folders, allow_hosts
        from factory.plan.compiler import compile_plan, compile_stages
        from factory.plan.reach import collect_host_uses
        from factory.plan.stage_kinds import ADVICE

        allow_folders(self.allowed_paths, find_home())
        if self.allowed_hosts:
            plans = compile_plan(resolved), compile_stages(ADVICE, resolved, 1)
            allow_hosts(self.allowed_hosts, [use for plan in plans for use in collect_host_uses(plan)], find_home())


def spec_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: add SPEC and its options to a command, which gets them as one SpecArguments."""

    @wraps(command)
    def call_command(
        spec: Path, profile: str, overrides: Any, folders: Any, hosts: Any, paths: Any, **options: Any
    ) -> Any:
        return command(SpecArguments(spec, profile, overrides, folders, hosts, paths), **options)

    for add_parameter in reversed(SPEC_PARAMETERS):  # as stacked decorators apply: the last one first
        add_parameter(call_command)
    return call_command


def collect_stage_reasons(plan: Plan, force: Sequence[str] = ()) -> list[StageReason]:
    """Return, for each stage in plan order, whether and why it would run."""
    from factory.plan.explain import explain_plan
    from factory.store.journal import find_last_plan
    from factory.store.outputs import Store

    check_stage_names(plan, force)
    return explain_plan(plan, Store(find_home()), find_last_plan(find_home(), plan.name), force)


def check_stage_names(plan: Plan, stages: Sequence[str]) -> None:
    """Raise InputError for a stage that is not in the plan, with the closest name."""
    for stage in stages:
        if stage not in plan.list_stage_names():
            known = f"stages: {', '.join(plan.list_stage_names())}"
            hint = suggest_known_name(stage, plan.list_stage_names(), otherwise=known, cutoff=0.5)
            raise InputError(f"unknown stage {stage!r}; {hint}")
