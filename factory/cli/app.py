"""The commands by name. Each lives in a module that is imported when it is called, so that help is instant."""

from __future__ import annotations

import importlib
from typing import Any

import click

COMMAND_SUMMARIES = {
    "check": "Say all that is wrong with a spec.",
    "plan": "Show the stages of a spec: what is cached, what would run, how long it may take.",
    "data": "Make the rows of a spec, up to curation and no further, and show them.",
    "review": "Let a subject expert accept, reject or edit training rows.",
    "advise": "Say whether to fine-tune at all, from the rows and a quick ladder of what exists.",
    "build": "Build a specialist, from a spec to a verdict and a bundle.",
    "why": "Say why a stage would run.",
    "runs": "List the runs.",
    "show": "Show a run, live or past.",
    "compare": "Compare two builds, two specialists or two contenders, row by row.",
    "report": "Write a run as one HTML file.",
    "specialists": "List the specialists: versions, aliases, verdicts, what each is made of.",
    "tui": "Watch runs and compare specialists on a terminal.",
    "try": "Ask a specialist.",
    "verify": "Check that a bundle is what was built.",
    "bases": "List the base models that are known by digest.",
    "plugins": "List the kinds that a spec can name, and what failed to load.",
    "new": "Write a plugin package, or a commented spec, to begin with.",
    "docs": "Write the pages of all kinds, from the installed classes, and the guides, into FOLDER as HTML.",
    "schema": "Write the JSON Schema of specs, with the installed plugins' fields.",
    "gc": "Free the disk of what no recent run refers to.",
}
"""Command → what it does; the module `factory.cli.commands.<name>_` holds it as `command`."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of help."""
        return list(COMMAND_SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now; None when there is none."""
        if cmd_name not in COMMAND_SUMMARIES:
            return None
        module = importlib.import_module(f"factory.cli.commands.{cmd_name}_")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that the arguments begin with. Raises UsageError with the nearest name."""
        if args and args[0] not in COMMAND_SUMMARIES and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMAND_SUMMARIES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMAND_SUMMARIES)}"
            raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMAND_SUMMARIES.items()))


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from factory import __version__

        click.echo(f"factory {__version__}")
        context.exit()


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 shipped, 2 the gate said no, 3 insufficient evidence, 64 bad input, "
    "69 something is unavailable, 70 a bug, 130 interrupted.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def app() -> None:
    """A factory of specialist models: a spec goes in, a verdict and a bundle come out."""
