"""`factory schema`: the JSON Schema of specs, for completion and validation in editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from factory.cli import output, spec_args


@click.command()
@spec_args.plugins_option
@click.option("-o", "--out", "target", type=click.Path(path_type=Path), help="File to write; default: standard output.")
def command(target: Path | None, folders: tuple[Path, ...]) -> None:
    """Write the JSON Schema of specs, including the fields of installed plugins."""
    from factory.registry.registry import load_installed_registry
    from factory.spec.json_schema import build_json_schema

    text = json.dumps(build_json_schema(load_installed_registry(folders)), indent=1, ensure_ascii=False)
    if target is None:
        output.print_line(text)
    else:
        target.write_text(f"{text}\n", encoding="utf-8")
        output.print_note(f"wrote {target}; for editors, begin specs with `# yaml-language-server: $schema={target}`")
