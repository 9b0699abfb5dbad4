"""`factory schema`: the JSON Schema of specs, so that an editor completes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from factory.cli import output, spec_args


@click.command()
@spec_args.plugins_option
@click.option("-o", "--out", "target", type=click.Path(path_type=Path), help="The file; default standard output.")
def command(target: Path | None, folders: Sequence[Path]) -> None:
    """Write the JSON Schema of specs, with the installed plugins' fields."""
    import json

    from factory.registry.registry import load_installed_registry
    from factory.spec.json_schema import build_json_schema

    text = json.dumps(build_json_schema(load_installed_registry(tuple(folders))), indent=1, ensure_ascii=False, sort_keys=False)
    if target is None:
        output.print_line(text)
    else:
        target.write_text(f"{text}\n", encoding="utf-8")
        output.print_note(f"{target} is written; editors read it from `# yaml-language-server: $schema={target}`")
