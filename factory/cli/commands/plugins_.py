"""`factory plugins`: the kinds that a spec can name, and what failed to load."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from factory.cli import out

if TYPE_CHECKING:
    from factory.api import Plugin
    from factory.plugins import Registry


@click.command()
@click.argument("role", default="")
@out.json_option
def command(role: str, as_json: bool) -> None:
    """List the kinds that a spec can name, and what failed to load. ROLE narrows it, such as objective."""
    from factory.errors import InputError
    from factory.plugins import installed
    from factory.report.words import clean

    registry = installed()
    rows = [_row(registry, kind) for kind in registry.classes(role or None)]
    if role and not rows:
        known = sorted({kind.role for kind in registry.classes()})
        raise InputError(f"no plugin plays the role {role!r}; roles: {', '.join(known) or 'none'}")
    if as_json:
        out.emit({"plugins": rows, "failures": [asdict(failure) for failure in registry.failures]})
        return
    cells = [[r["role"], r["kind"], str(r["version"]), r["package"], clean(r["what"], 90)] for r in rows]
    out.say(out.table(["role", "kind", "version", "package", "what it does"], cells))
    for failure in registry.failures:
        out.note(f"{failure.name} of {failure.package} did not load: {failure.reason}")


def _row(registry: Registry, kind: type[Plugin]) -> dict[str, Any]:
    what = (kind.__doc__ or "").strip().splitlines()
    return {
        "role": kind.role,
        "kind": kind.kind,
        "version": kind.version,
        "package": registry.package(kind),
        "what": what[0] if what else "",
        "fields": list(kind.model_fields),
    }
