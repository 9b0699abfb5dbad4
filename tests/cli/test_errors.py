import errno
import subprocess
import sys

import click
import pytest

from factory.cli import error_reporting
from factory.cli import run_command_line as factory
from factory.errors import InputError, Problem, SpecError, UnavailableError


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("no such thing"), 64, "no such thing\n"),
        (UnavailableError("no network"), 69, "no network\n"),
        (
            SpecError([Problem("a.yaml", 3, 5, "train.epoch", "no such field")]),
            64,
            "a.yaml:3:5: train.epoch: no such field\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 69, "no space left on the disk while writing /x/y; "
        "free some space and run again\n"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 69, "/x: read-only file system"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.yaml"), 64, "a.yaml: no such file\n"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 69, "Python module 'torch' is not installed; "
        "install the package that provides it\n"),
    ],
)
def test_each_failure_is_one_line_with_its_code(error, code, said, capsys):
    assert error_reporting.report_error(error) == code
    err = capsys.readouterr().err
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_only_a_bug_shows_a_traceback_and_says_where_the_journal_is(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    assert error_reporting.report_error(ValueError("oh")) == 70
    err = capsys.readouterr().err
    assert "ValueError: oh" in err
    assert err.splitlines()[-1] == "internal error: this is a bug in factory; no run was journalled"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["biuld"], "did you mean 'build'?"),
        (["runs", "--jsn"], "No such option"),
        (["compare", "a"], "Missing argument"),
        (["show", "nobody"], "no runs in"),
        (["gc", "--keep", "0"], "--keep must be 1 or more"),
    ],
)
def test_a_wrong_command_line_is_64_in_one_line(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    assert factory(arguments) == 64
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_no_arguments_show_help(capsys):
    assert factory([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys):
    assert factory(["--version"]) == 0
    assert capsys.readouterr().out.startswith("factory ")


def test_a_reader_that_leaves_early_is_no_failure(tmp_path):
    script = tmp_path / "talk.py"
    script.write_text(
        "import sys\nfrom factory.cli import error_reporting, output\n"
        "try:\n    output.print_json(list(range(100000)))\nexcept OSError as error:\n    "
        "sys.exit(error_reporting.report_error(error))\n"
    )
    line = f"PYTHONPATH='{':'.join(sys.path)}' '{sys.executable}' '{script}' | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_abort_of_a_prompt_is_an_interrupt(capsys):
    assert error_reporting.report_error(click.Abort()) == 130
