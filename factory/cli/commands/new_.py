"""`factory new`: create a plugin package or a commented spec."""

from __future__ import annotations

from pathlib import Path

import click

from factory.cli import output, spec_args
from factory.errors import InputError
from factory.text.articles import add_article

ROLES = ("source", "synthesizer", "curator", "objective", "contender", "eval", "probe", "target", "task")


@click.group()
def command() -> None:
    """Create a plugin package or a commented spec."""


@command.command("plugin")
@click.argument("name")
@click.option("--of", "role", required=True, type=click.Choice(ROLES), help="Role of the plugin.")
@click.option("--at", "folder", type=click.Path(path_type=Path), help="Folder to create; default: ./NAME.")
def write_new_plugin(name: str, role: str, folder: Path | None) -> None:
    """Create an installable package with one plugin class, a test and a smoke spec."""
    from factory.registry import new_plugin
    from factory.registry.registry import load_installed_registry

    taken = load_installed_registry().list_classes("eval" if role == "probe" else role)  # a probe is a kind of eval
    if name in {kind.kind for kind in taken}:
        text = f"{add_article(role)} named {name!r} already exists (see `factory plugins {name}`); choose another name"
        raise InputError(text)
    target = folder or Path(name)
    for file in new_plugin.create_plugin_package(name, role, target):
        output.print_line(str(file))
    output.print_note(f"\nnext: pip install -e {target} && factory plugins {name} && (cd {target} && python -m pytest)")


@command.command("spec")
@click.argument("name")
@click.option("--task", "kind", required=True, help="Task, such as classifier; `factory plugins task` lists them.")
@click.option("--from", "data", type=click.Path(path_type=Path), help="Data to inspect: a file, or a folder of files.")
@click.option("-o", "--out", "target", type=click.Path(path_type=Path), help="File to write; default: NAME.yaml.")
@click.option("--map", "columns", multiple=True, metavar="COLUMN=FIELD",
              help="Name the field of the data for a column of the task; repeatable.")
@spec_args.plugins_option
def write_new_spec(
    name: str, kind: str, data: Path | None, target: Path | None, columns: tuple[str, ...], folders: tuple[Path, ...]
) -> None:
    """Create a commented spec. With --from, columns, group and split are inferred from the data."""
    from factory.registry.registry import load_installed_registry
    from factory.spec.new_spec import render_new_spec

    file = target or Path(f"{name}.yaml")
    if file.exists():
        raise InputError(f"{file}: already exists; choose another name, or another file with -o")
    pairs = dict(_parse_column(text) for text in columns)
    text = render_new_spec(name, kind, data, file, load_installed_registry(folders), pairs)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    output.print_line(str(file))
    output.print_note(f"\nnext: factory check {file} && factory plan {file}")


def _parse_column(text: str) -> tuple[str, str]:
    column, equals, name = text.partition("=")
    if not (column and equals and name):
        raise InputError(f"--map {text}: expected COLUMN=FIELD, such as label=department")
    return column, name
