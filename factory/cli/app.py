"""The command table. A command's module is imported only when the command runs, which keeps `--help` fast."""

from __future__ import annotations

import importlib
from typing import Any

import click

from factory.text.suggestions import suggest_known_name

COMMAND_SUMMARIES = {
    "check": "Validate a spec and report every error.",
    "plan": "Show the stages of a spec: what is cached, what would run, and the estimated time.",
    "data": "Build the rows of a spec, up to curation, check them as a build does before training, and show them.",
    "review": "Let a subject expert accept, reject or edit training rows.",
    "advise": "Advise whether fine-tuning is worthwhile, by trying contenders that need no training.",
    "build": "Build a specialist from a spec: train, evaluate, decide and bundle.",
    "why": "Explain why a stage would run.",
    "runs": "List runs, newest first.",
    "show": "Show a run, live or finished.",
    "compare": "Compare two builds, specialists or contenders (baselines or candidates), row by row.",
    "report": "Write a run as one self-contained HTML file.",
    "specialists": "List specialists with their versions, aliases and verdicts.",
    "tui": "Open the terminal interface: watch runs, compare and query specialists.",
    "try": "Query a specialist.",
    "verify": "Check the files of a bundle against its manifest.",
    "bases": "List the base models in the catalogue, or compare tokenizers.",
    "plugins": "List the plugin kinds a spec can use, and plugins that failed to load.",
    "new": "Create a plugin package or a commented spec.",
    "docs": "Write the reference of all installed kinds, and the guides, into FOLDER as HTML.",
    "schema": "Write the JSON Schema of specs, including the fields of installed plugins.",
    "gc": "Delete stage outputs that no recent run uses.",
}
"""Command name → summary. Module `factory.cli.commands.<name>_` defines it as `command`."""


class LazyGroup(click.Group):
    """A Click group that imports only the command that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names, in help order."""
        return list(COMMAND_SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and return it; None if the name is unknown."""
        if cmd_name not in COMMAND_SUMMARIES:
            return None
        command: click.Command = importlib.import_module(f"factory.cli.commands.{cmd_name}_").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Resolve the first argument to a command. Raises UsageError with the closest name."""
        # An unknown option is left to Click, which names it.
        if args and args[0] not in COMMAND_SUMMARIES and not args[0].startswith("-"):
            known = f"commands: {', '.join(COMMAND_SUMMARIES)}"
            hint = suggest_known_name(args[0], COMMAND_SUMMARIES, otherwise=known)
            raise click.UsageError(f"unknown command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command list from the summaries, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMAND_SUMMARIES.items()))


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from factory import __version__

        click.echo(f"factory {__version__}")
        context.exit()


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 success (SHIP), 2 rejected by the gate, 3 insufficient evidence, 64 invalid input, "
    "69 a resource is unavailable, 70 internal error, 130 interrupted.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
              help="Print the version and exit.")
def app() -> None:
    """Build, evaluate and serve specialist models from declarative YAML specs."""
