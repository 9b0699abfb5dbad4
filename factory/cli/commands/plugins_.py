"""`factory plugins`: the kinds a spec can use, plugins that failed to load, and the documentation of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output, spec_args

if TYPE_CHECKING:
    from factory.api import Plugin
    from factory.registry.registry import Registry


@click.command()
@click.argument("what", default="", metavar="[ROLE|KIND]")
@click.option("--doctor", is_flag=True, help="Measure imports: find packages that are slow or load heavy libraries.")
@spec_args.plugins_option
@output.json_option
def command(what: str, doctor: bool, folders: Sequence[Path], as_json: bool) -> int:
    """List the plugin kinds a spec can use, and plugins that failed to load.

    A ROLE, such as objective, filters the list. A KIND, such as cross-encoder, prints its documentation.
    """
    from factory.registry.registry import load_installed_registry
    from factory.views.formatting import clean_line

    registry = load_installed_registry(tuple(folders))
    if doctor:
        return _diagnose_plugin_imports(folders, as_json)
    role = what if what in {kind.role for kind in registry.list_classes()} else ""
    if what and not role:
        return _print_kind_description(registry, what, as_json)
    rows = [_build_kind_record(registry, kind) for kind in registry.list_classes(role or None)]
    if as_json:
        failures = [asdict(failure) for failure in registry.failures]
        output.print_json({"plugins": rows, "failures": failures, "clashes": list(registry.clashes.values())})
        return 0
    cells = [[r["role"], r["kind"], r["package"], _summarise_field_names(r["fields"]), r["what"]] for r in rows]
    heads = ["role", "kind", "package", "fields", "description"]
    output.print_line(output.format_table(heads, [[clean_line(cell, 90) for cell in row] for row in cells]))
    _print_load_failures(registry)
    return 0


def _summarise_field_names(fields: Sequence[dict[str, Any]]) -> str:
    """Return the first three field names and the number of the others, such as `a, b, c +2`."""
    names = [field["name"] for field in fields]
    return ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")


def _print_load_failures(registry: Registry) -> None:
    """Print which plugins failed to load, why, and the remedy; then kinds that two packages define."""
    from factory.views.formatting import clean_line

    for failure in registry.failures:
        text = f"{failure.name} of {failure.package} failed to load: {failure.reason}; {failure.remedy}"
        output.print_note(clean_line(text))
    for clash in registry.clashes.values():
        output.print_note(clean_line(clash))


def _build_kind_record(registry: Registry, kind: type[Plugin]) -> dict[str, Any]:
    from factory.registry.describe import describe_fields

    what = (kind.__doc__ or "").strip().splitlines()
    package = registry.get_package(kind)
    return {
        "role": kind.role, "kind": kind.kind, "version": kind.version,
        "package": f"{package.name} {package.version}".strip(), "what": what[0] if what else "",
        "fields": [asdict(field) for field in describe_fields(kind)],
    }


def _print_kind_description(registry: Registry, word: str, as_json: bool) -> int:
    """Print the documentation of a kind. Raises InputError if `word` is neither a role nor a kind."""
    import difflib

    from factory.errors import InputError
    from factory.registry.describe import list_kind_users, render_plugin_help
    from factory.store.paths import find_home
    from factory.views.formatting import clean_line

    kinds = [kind for kind in registry.list_classes() if kind.kind == word]
    if not kinds:
        known = sorted({name for kind in registry.list_classes() for name in (kind.kind, kind.role)})
        near = difflib.get_close_matches(word, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`factory plugins` lists them"
        raise InputError(f"unknown role or kind {word!r}; {hint}")
    if as_json:
        output.print_json([
            {**_build_kind_record(registry, kind), "doc": kind.__doc__,
             "used": list_kind_users(kind, registry, find_home())}
            for kind in kinds
        ])
        return 0
    for kind in kinds:
        for line in render_plugin_help(kind, registry, find_home()).splitlines():
            indent = len(line) - len(line.lstrip())
            output.print_line(" " * indent + clean_line(line))
        output.print_line()
    return 0


def _diagnose_plugin_imports(folders: Sequence[Path], as_json: bool) -> int:
    """Import each package in a fresh interpreter and print the cost; returns 69 if one is heavy or fails."""
    from factory.errors import UNAVAILABLE
    from factory.testing.import_cost import measure_package_imports
    from factory.views.formatting import clean_line

    costs = measure_package_imports(folders)
    bad = [cost for cost in costs if cost.heavy or cost.failed or cost.printed]
    if as_json:
        output.print_json([asdict(cost) for cost in costs])
        return UNAVAILABLE if bad else 0
    rows = [
        [clean_line(cost.module), clean_line(cost.package), f"{1000 * cost.seconds:.0f} ms",
         clean_line(cost.summary, 110)]
        for cost in costs
    ]
    output.print_line(output.format_table(["module", "package", "import", "verdict"], rows, right=(2,)))
    return UNAVAILABLE if bad else 0
