"""The check that a plugin class is written for this version of the plugin contract."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from factory.api import CONTRACT, Plugin

OUTPUT_TYPE = {"answers": "output_type"}
RENAMED_MEMBERS: Mapping[str, Mapping[str, str]] = {
    "": {
        "fingerprint": "compute_fingerprint", "uses": "get_required_models", "hosts": "list_hosts",
        "identity": "compute_identity", "block": "to_block",
    },
    "source": {"gives": "output_columns", "rows": "iter_rows"},
    "synthesizer": {"gives": "output_columns"},
    "curator": {"measures": "share_metric", "keep": "curate"},
    "objective": {
        **OUTPUT_TYPE, "heads": "modules_to_save", "loader": "loader_class", "layout": "export_files",
        "plain": "generate_reference_answers", "loss": "compute_loss",
    },
    "contender": {
        **OUTPUT_TYPE, "prompted": "is_prompt_only", "compared": "in_gate", "chooses": "uses_validation_score",
        "uses_adapter": "uses_artifact",
    },
    "eval": {
        **OUTPUT_TYPE, "primary": "primary_metric", "totals": "compute_totals", "tables": "build_tables",
        "drift": "compute_drift",
    },
    "target": {"refuses": "explain_refusal"},
    "task": {
        **OUTPUT_TYPE, "prepared": "added_columns", "text": "text_column", "defaults": "get_defaults",
        "profiles": "get_profiles", "templates": "get_templates", "messages": "render_messages",
        "target": "render_target", "choices": "list_choices", "guide": "build_grammar", "show": "describe_row",
        "slices": "get_row_slices", "question": "build_query_row", "asked": "extract_query", "reply": "format_answer",
    },
}
"""Role ("" for all roles) → name in contract 1 → name in contract 2."""


def check_contract(kind: type[Plugin]) -> None:
    """Raise ValueError, with the members to rename, for a class that is written for another contract.

    A class that declares no contract is judged by its members; one that declares this contract may use any name.
    """
    plugin_classes = [cls for cls in kind.__mro__ if issubclass(cls, Plugin)]
    own_classes = [cls for cls in plugin_classes if not cls.__module__.startswith("factory.api.")]
    if kind.contract == CONTRACT and any("contract" in vars(cls) for cls in own_classes):
        return
    renames = _find_renames(kind.role, {name for cls in own_classes for name in vars(cls)})
    if kind.contract != CONTRACT or renames:
        raise ValueError(_describe_old_contract(kind.__name__, kind.contract, renames))


def translate_contract_error(error: BaseException) -> BaseException:
    """Return the error of `check_contract` for a class that could not be created because of its old members.

    Old class attributes lack an annotation now, for which pydantic raises while the module is imported: there is no
    class to check yet, only the arguments of pydantic's metaclass in the traceback. Other errors are returned as is.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        arguments: Mapping[str, Any] = frame.f_locals
        if not {"cls_name", "bases", "namespace"} <= arguments.keys():
            continue
        role = next((base.role for base in arguments["bases"] if issubclass(base, Plugin)), None)
        renames = [] if role is None else _find_renames(role, arguments["namespace"])
        if renames:
            contract = arguments["namespace"].get("contract", 1)
            return ValueError(_describe_old_contract(arguments["cls_name"], contract, renames))
    return error


def _find_renames(role: str, members: Iterable[str]) -> list[str]:
    renamed, present = {**RENAMED_MEMBERS[""], **RENAMED_MEMBERS.get(role, {})}, set(members)
    return [f"{old} to {new}" for old, new in renamed.items() if old in present]


def _describe_old_contract(name: str, contract: int, renames: list[str]) -> str:
    written = contract if contract != CONTRACT else 1
    remedy = f"rename {', '.join(renames)}" if renames else f"adapt it and declare `contract = {CONTRACT}`"
    return f"{name} is written for contract {written}, this factory needs contract {CONTRACT}; {remedy}"
