"""What a stranger's plugin does wrong is named, and harms nobody else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import toy_builds as builds
from bad_parts import complaint, listed, package
from toy_project import TOY

HEAD = """\
import os, sys, time
from factory.api import *
from factory.api import hookimpl
from toy_factory.rest import Accuracy, Commonest
from toy_factory.learn import Counting


class Mine({base}):
    \"\"\"Says \\x1b[31mred\\x1b[0m things.\"\"\"

    kind = "mine"
{body}


@hookimpl
def factory_plugins(): return [Mine]
"""
ANSWER = "    def answer(self, job):\n"


def mine(tmp_path: Path, base: str, body: str) -> str:
    """A path on which a package with one plugin is found, beside the toy's."""
    folder = package(tmp_path / "plugins", "stranger", HEAD.format(base=base, body=body))
    return os.pathsep.join([folder, str(TOY)])


CONTENDERS = ("--set", "contenders=[tuned, mine]")


@pytest.mark.parametrize(("body", "code", "said"), [
    ("        return ['a']\n", 70, "answer[mine]: contender 'mine': answer yielded a str instead of a Answer"),
    ("        pass\n", 70, "contender 'mine': answer returned nothing; it must yield a Answer for each row"),
    ("        os._exit(9)\n", 70, "the worker died (exit code 9); see "),
    ("        job.rows[3].columns['text'] = ''\n        yield from super().answer(job)\n", 70,
     "contender 'mine': changed its input row 'r"),
    ("        job.rows.reverse()\n        yield from super().answer(job)\n", 70,
     "contender 'mine': changed its input list of rows"),
    ("        job.train[0]['text'].nothing\n        yield from super().answer(job)\n", 70,
     "contender 'mine': AttributeError: 'str' object has no attribute 'nothing'"),
    ("        raise ValueError('\\x1b[31mred\\x1b[0m\\nand more')\n", 70, "contender 'mine': red"),
])
def test_a_contender_that_breaks_its_contract_is_named_and_what_was_finished_stays(
    toy: Path, tmp_path: Path, body: str, code: int, said: str
) -> None:
    home, path = tmp_path / "home", mine(tmp_path, "Commonest", ANSWER + body)
    got, told = complaint(toy / "toy.yaml", home, *CONTENDERS, PYTHONPATH=path)
    assert got == code and said in told and "\x1b" not in told, told
    assert "answer[tuned]" in builds.finished(home)
    if "_exit" in body:
        assert told.endswith("running: 'mine'")


def test_a_plugin_that_hangs_is_ended_by_the_budget(toy: Path, tmp_path: Path) -> None:
    home, path = tmp_path / "home", mine(tmp_path, "Commonest", f"{ANSWER}        while True: time.sleep(1)\n")
    assert builds.build(toy / "toy.yaml", home)[0] == 0  # what is left to do is what hangs
    code, told = complaint(toy / "toy.yaml", home, *CONTENDERS, "--set", "budget.wall_time=15s", PYTHONPATH=path)
    assert code == 69
    assert told.startswith("answer[mine]: budget.wall_time is used up") and told.endswith("running: 'mine'"), told


def test_what_a_plugin_prints_in_check_is_no_output_and_its_colours_are_not_shown(toy: Path, tmp_path: Path) -> None:
    body = "    def get_required_models(self):\n        print('noise')\n        return ()\n"
    path = mine(tmp_path, "Commonest", body)
    run = listed(tmp_path, path, "check", str(toy / "toy.yaml"), *CONTENDERS, "--json")
    assert run.returncode == 0 and "noise" not in run.stdout and "noise" in run.stderr
    shown = listed(tmp_path, path, "plugins", "mine")
    assert "Says red things." in shown.stdout and "\x1b" not in shown.stdout


def test_an_older_contract_is_said_in_words_and_takes_nothing_else_with_it(toy: Path, tmp_path: Path) -> None:
    path = mine(tmp_path, "Commonest", "    contract = 0\n")
    run = listed(tmp_path, path, "plugins")
    assert "Mine of stranger failed to load: ValueError: Mine is written for contract 0, this factory needs " \
           "contract 2; adapt it and declare `contract = 2`; " \
           "install a version of stranger for contract 2, or uninstall it" in run.stderr
    code, said = builds.build(toy / "toy.yaml", tmp_path / "home", *CONTENDERS, PYTHONPATH=path)
    assert code == 64 and any("no such contender: 'mine'" in line for line in said)
    assert builds.build(toy / "toy.yaml", tmp_path / "home", PYTHONPATH=path)[0] == 0


@pytest.mark.parametrize(("body", "said"), [
    ("    kind = 'Not A Name'\n", "Mine has the kind 'Not A Name'; use lower-case letters, digits, dots and hyphens"),
    ("    role = 'chef'\n", "Mine has no role; subclass one of contender, curator"),
])
def test_a_class_that_no_spec_could_name_is_said(toy: Path, tmp_path: Path, body: str, said: str) -> None:
    assert said in listed(tmp_path, mine(tmp_path, "Commonest", body), "plugins").stderr


def test_a_kind_explains_itself(toy: Path, tmp_path: Path) -> None:
    shown = listed(tmp_path, str(TOY), "plugins", "counting").stdout
    assert shown.startswith("counting: objective, version 1, of toy-factory 1.0\n")
    assert "columns read: text, label" in shown and "pause (number; default 0.0)" in shown
    assert "used by the task toy" in shown
    lost = listed(tmp_path, str(TOY), "plugins", "countin")
    assert lost.returncode == 64 and "did you mean 'counting'?" in lost.stderr
