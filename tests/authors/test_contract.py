"""A class that is written for another plugin contract is refused in one line that says what to rename."""

from pathlib import Path
from typing import Any

import pytest

from factory.api import Contender, Curator, Eval, Objective, Plugin, Source, Synthesizer, Target, Task
from factory.registry.contract import RENAMED_MEMBERS
from factory.registry.registry import Registry, check_plugin_class

ROLES = {base.role: base for base in (Contender, Curator, Eval, Objective, Source, Synthesizer, Target, Task)}


def define(base: type[Plugin], **members: Any) -> type[Plugin]:
    return type("Old", (base,), {"__module__": __name__, "kind": "old", **members})


@pytest.mark.parametrize(
    ("role", "old", "new"),
    [(role or "curator", old, new) for role, renames in RENAMED_MEMBERS.items() for old, new in renames.items()],
)
def test_every_old_member_is_named_with_its_new_name(role: str, old: str, new: str) -> None:
    assert hasattr(ROLES[role], new) or (role, new) in {("eval", "compute_drift"), ("objective", "compute_loss")}
    with pytest.raises(ValueError, match=rf"Old is written for contract 1, .* contract 2; rename {old} to {new}$"):
        check_plugin_class(define(ROLES[role], **{old: lambda self: None}))


def test_all_renames_of_a_class_are_on_one_line() -> None:
    old = define(Curator, contract=1, uses=lambda self: (), keep=lambda self, job: iter(()))
    with pytest.raises(ValueError, match="rename uses to get_required_models, keep to curate") as error:
        check_plugin_class(old)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("contract", ["", "    contract = 1\n"])
def test_old_class_attributes_are_named_when_a_package_is_discovered(contract: str, tmp_path: Path) -> None:
    name = f"old_curator_{len(contract)}"
    (tmp_path / f"{name}.py").write_text(
        "from factory.api import Curator, hookimpl\n\n\n"
        f"class Old(Curator):\n    kind = 'old'\n{contract}    measures = 'near'\n\n"
        "    def keep(self, job):\n        yield from ()\n\n\n"
        "@hookimpl\ndef factory_plugins():\n    return [Old]\n"
    )
    (failure,) = Registry.load([tmp_path]).failures
    assert failure.name == name and failure.reason == (
        "ValueError: Old is written for contract 1, this factory needs contract 2; "
        "rename measures to share_metric, keep to curate"
    )
    assert "for contract 2" in failure.remedy


def test_a_class_of_another_contract_without_old_members_is_refused_too() -> None:
    with pytest.raises(ValueError, match="Old is written for contract 3, this factory needs contract 2; adapt it"):
        check_plugin_class(define(Curator, contract=3))


def test_a_class_that_declares_this_contract_may_use_an_old_name_for_its_own() -> None:
    check_plugin_class(define(Curator, contract=2, keep=lambda self: None))
    check_plugin_class(define(Curator))
