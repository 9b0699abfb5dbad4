"""`factory plugins`: the kinds a spec can use, plugins that failed to load, and the documentation of a kind."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from factory.cli import output, spec_args
from factory.errors import UNAVAILABLE, InputError
from factory.store.paths import find_home
from factory.text.suggestions import suggest_known_name
from factory.views.elements import Column, Table, make_row
from factory.views.formatting import clean_line

if TYPE_CHECKING:
    from factory.api import Plugin
    from factory.registry.registry import Registry


KIND_COLUMNS = (
    Column("role", min_width=11), Column("kind", min_width=26), Column("package", drop_rank=2, min_width=18),
    Column("fields", drop_rank=1, min_width=20), Column("description", min_width=30),
)


@click.command()
@click.argument("what", default="", metavar="[ROLE|KIND]")
@click.option("--doctor", is_flag=True, help="Measure imports: find packages that are slow or load heavy libraries.")
@spec_args.plugins_option
@output.json_option
def command(what: str, doctor: bool, folders: tuple[Path, ...], as_json: bool) -> int:
    """List the plugin kinds a spec can use, and plugins that failed to load.

    A ROLE, such as objective, filters the list. A KIND, such as cross-encoder, prints its documentation.
    """
    from factory.registry.registry import load_installed_registry

    registry = load_installed_registry(folders)
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
    cells = []
    for row in rows:
        names = [field["name"] for field in row["fields"]]
        fields = ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")
        cells.append(make_row(row["kind"], row["role"], row["kind"], row["package"], fields, row["what"]))
    output.print_line(output.format_table(Table(KIND_COLUMNS, tuple(cells)), wrap=True))
    for failure in registry.failures:
        text = f"{failure.name} of {failure.package} failed to load: {failure.reason}; {failure.remedy}"
        output.print_note(clean_line(text))
    for clash in registry.clashes.values():  # kinds that two packages define
        output.print_note(clean_line(clash))
    return 0


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
    from factory.registry.describe import list_kind_users, render_plugin_help

    kinds = [kind for kind in registry.list_classes() if kind.kind == word]
    if not kinds:
        known = sorted({name for kind in registry.list_classes() for name in (kind.kind, kind.role)})
        hint = suggest_known_name(word, known, otherwise="`factory plugins` lists them")
        raise InputError(f"unknown role or kind {word!r}; {hint}")
    if as_json:
        users = {kind: list_kind_users(kind, registry, find_home()) for kind in kinds}
        output.print_json([
            {**_build_kind_record(registry, kind), "doc": kind.__doc__, "used": users[kind]} for kind in kinds
        ])
        return 0
    for kind in kinds:
        for line in render_plugin_help(kind, registry, find_home()).splitlines():
            # `clean_line` strips the indent.
            output.print_line(" " * (len(line) - len(line.lstrip())) + clean_line(line))
        output.print_line()
    return 0


def _diagnose_plugin_imports(folders: tuple[Path, ...], as_json: bool) -> int:
    """Import each package in a fresh interpreter and print the cost; returns 69 if one is heavy or fails."""
    from factory.testing.import_cost import measure_package_imports

    costs = measure_package_imports(folders)
    if as_json:
        output.print_json([asdict(cost) for cost in costs])
    else:
        rows = [
            [clean_line(cost.module), clean_line(cost.package), f"{1000 * cost.seconds:.0f} ms",
             clean_line(cost.summary, 110)]
            for cost in costs
        ]
        output.print_line(output.format_rows(["module", "package", "import", "verdict"], rows, right=(2,)))
    return UNAVAILABLE if any(cost.heavy or cost.failed or cost.printed for cost in costs) else 0
