from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from toy_kinds import REGISTRY, SPEC, Pairwise, Shelf, Sorting

from factory.errors import PluginError, SpecError
from factory.registry.registry import Registry
from factory.spec.layers import ResolvedSpec, resolve_spec


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phrases.jsonl").touch()
    return tmp_path


def settled(text: str, profile: str = "", options: Sequence[str] = ()) -> ResolvedSpec:
    Path("s.yaml").write_text(text, encoding="utf-8")
    return resolve_spec(Path("s.yaml"), profile=profile, overrides=options, registry=REGISTRY)


def complaints(text: str, profile: str = "", options: Sequence[str] = ()) -> list[str]:
    with pytest.raises(SpecError) as caught:
        settled(text, profile, options)
    return str(caught.value).splitlines()


def said(resolved: ResolvedSpec, path: str) -> tuple[object, str, int | None]:
    return next((v.value, v.origin, v.line) for v in resolved.values if v.path == path)


def test_a_dozen_lines_suffice() -> None:
    resolved = settled(SPEC)
    assert resolved.objective == Pairwise(margin=0.5)
    assert [contender.kind for contender in resolved.contenders] == ["tuned", "untuned", "alphabet"]
    assert (resolved.spec.data.split.test, resolved.spec.adapter.rank, resolved.root) == (50, 8, Path("."))


def test_every_layer_lies_over_the_one_below() -> None:
    text = SPEC + "train: {epochs: 3, batch_size: 4}\nprofiles:\n  smoke:\n    train: {batch_size: 2}\n"
    resolved = settled(text, "smoke", ["train.seed=1"])
    assert said(resolved, "train.learning_rate") == (0.001, "default", None)
    assert said(resolved, "adapter.rank") == (8, "task", None)
    assert said(resolved, "data.limit") == (20, "profile", None)
    assert said(resolved, "train.epochs") == (3.0, "spec", 10)
    assert said(resolved, "train.batch_size") == (2, "profile", 13)
    assert said(resolved, "train.seed") == (1, "command line", None)


@pytest.mark.parametrize("path", ["data.sources.0.weight", "data.sources[0].weight"])
def test_an_option_reaches_an_item_of_a_list_by_its_number(path: str) -> None:
    assert said(settled(SPEC, "", [f"{path}=7"]), "data.sources[0].weight")[:2] == (7, "command line")


def test_values_stand_in_the_order_of_the_format() -> None:
    paths = [value.path for value in settled(SPEC).values]
    assert paths[:5] == ["apiVersion", "name", "task.kind", "task.pool", "models.student"]
    assert paths.index("data.sources[0].fields.order") < paths.index("objective.distance") < paths.index("gate.metric")
    assert len(paths) == len(set(paths)) and not any(path.startswith("profiles") for path in paths)


def test_a_block_of_the_same_kind_keeps_the_other_fields() -> None:
    assert settled(SPEC + "objective: {distance: dot}\n").objective == Pairwise(margin=0.5, distance="dot")
    assert settled(SPEC + "objective: pairwise\n").objective == Pairwise(margin=0.5)


def test_another_kind_and_a_list_replace_as_a_whole() -> None:
    resolved = settled(SPEC + "  synthesize: [shuffle]\nobjective: contrast\ncontenders: [tuned, alphabet]\n")
    assert resolved.objective.to_block() == {"kind": "contrast"}
    assert [contender.kind for contender in resolved.contenders] == ["tuned", "alphabet"]


@pytest.mark.parametrize(
    ("option", "path", "value"),
    [
        ("data.split.test=400", "data.split.test", 400),
        ("data.sources[0].letters=[a, b]", "data.sources[0].letters", ["a", "b"]),
        ("data.sources[0].fields.phrase=text", "data.sources[0].fields.phrase", "text"),
        ("objective.margin=1e-1", "objective.margin", 0.1),
        ("gate.metric=", "gate.metric", ""),
        ("budget.wall_time=90s", "budget.wall_time", "90s"),
        ("targets=[shelf]", "targets[0].kind", "shelf"),
        ("contenders[2]={kind: alphabet, reverse: true}", "contenders[2].reverse", True),
    ],
)
def test_an_option_reaches_any_value(option: str, path: str, value: object) -> None:
    assert said(settled(SPEC, options=[option]), path) == (value, "command line", None)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("train.epoch=3", "unknown field; did you mean 'epochs'?"),
        ("trian.epochs=3", "trian: unknown field; did you mean 'train'?"),
        ("train.epochs=x", "expected a number or 'auto', got 'x'"),
        ("train.epochs", "write path=value, such as data.split.test=400 or data.sources.0.file=rows.csv"),
        ("data.sources[2].file=x", "data.sources has no item [2]; its items are [0] to [0]"),
        ("data.sources.2.file=x", "data.sources has no item [2]; its items are [0] to [0]"),
        ("data.sources.-1.file=x", "data.sources has no item [-1]; its items are [0] to [0]"),
        ("data.sources.first.file=x", "data.sources is a list; name an item, from 0, not 'first'"),
        ("data.curate[0].at_least=2", "data.curate has no item [0]; the list is empty; set the whole list"),
        ("name.first=x", "name is not a mapping and has no field 'first'"),
        ("task=other", "the task cannot be overridden; write another spec for another task"),
        ("profiles.a.name=x", "profiles cannot be overridden; choose one with --profile"),
        ("data.sources[0].file=no.jsonl", "no such file or folder: 'no.jsonl', relative to the spec's folder"),
    ],
)
def test_an_option_that_is_wrong_is_named(option: str, message: str) -> None:
    assert complaints(SPEC, options=[option]) == [f"--set {option}: {message}"]


def test_a_profile_that_nobody_defines_lists_the_known_ones() -> None:
    text = SPEC + "profiles: {tiny: {}}\n"
    assert complaints(text, "big") == ["--profile big: no such profile; known: full, smoke, tiny"]
    assert complaints(text, "smok") == ["--profile smok: no such profile; did you mean 'smoke'?"]


def test_full_changes_nothing_unless_the_spec_says_so() -> None:
    assert settled(SPEC, "full").values == settled(SPEC).values
    assert settled(SPEC + "profiles: {full: {data: {limit: 9}}}\n", "full").spec.data.limit == 9


def test_a_profile_that_is_not_chosen_is_checked_too() -> None:
    text = SPEC + "profiles:\n  tiny:\n    train:\n      epoch: 1\n    objective: contrast\n    profiles: {}\n"
    assert complaints(text) == [
        "s.yaml:13:7: profiles.tiny.train.epoch: unknown field; did you mean 'epochs'?",
        "s.yaml:14:5: profiles.tiny.objective: 'contrast' needs the column wrong; "
        "its rows have phrase, order, length",
        "s.yaml:15:5: profiles.tiny.profiles: not allowed in a profile; set it at the top level of the spec",
    ]


def test_what_a_profile_breaks_elsewhere_says_which_profile() -> None:
    text = SPEC + "  synthesize: [shuffle]\ntargets: [shelf]\nprofiles:\n  tiny: {objective: contrast}\n"
    assert complaints(text) == [
        "s.yaml:11:11: targets[0]: can not serve the head 'scorer'; use another objective (with profile 'tiny')"
    ]


def test_a_problem_of_every_profile_is_told_once() -> None:
    text = SPEC + "trian: {}\nprofiles: {a: {}, b: {name: c}}\n"
    assert complaints(text, "smoke") == ["s.yaml:10:1: trian: unknown field; did you mean 'train'?"]


def test_an_option_does_not_complain_of_profiles_that_were_not_chosen() -> None:
    text = SPEC + "profiles: {bare: {contenders: [tuned, untuned]}}\n"
    assert settled(text, options=["contenders[2].reverse=true"]).contenders[2].to_block()["reverse"] is True


def test_a_task_that_is_not_known_hides_no_other_mistake() -> None:
    assert complaints(SPEC.replace("sorting", "sortin") + "train: {epoch: 1}\n") == [
        "s.yaml:3:1: task.kind: no such task: 'sortin'; did you mean 'sorting'?",
        "s.yaml:10:9: train.epoch: unknown field; did you mean 'epochs'?",
    ]


def test_every_problem_of_a_spec_comes_at_once() -> None:
    text = SPEC + "    - {kind: lines, file: no.jsonl, fields: {phrases: x}, letters: a}\n"
    text += "adapter: {rank: '8', alpha: 0}\ngate: {metric: ta}\n"
    assert [line.removeprefix("s.yaml:") for line in complaints(text)] == [
        "10:21: data.sources[1].file: no such file or folder: 'no.jsonl', relative to the spec's folder",
        "10:46: data.sources[1].fields.phrases: unknown field; did you mean 'phrase'?",
        "10:59: data.sources[1].letters: expected a list, got 'a'; write it in [ ] or after `- `",
        "11:11: adapter.rank: expected a whole number or 'auto', got '8'; remove the quotes",
        "11:22: adapter.alpha: must be above 0, got 0",
        "12:8: gate.metric: no eval reports 'ta'; did you mean 'tau'?",
    ]


@pytest.mark.parametrize("name", ["\\0", "x" * 5000, "~nobody-of-this-name/x", "a/" * 2000])
def test_a_path_that_no_disk_can_hold_is_just_not_there(name: str) -> None:
    text = SPEC.replace("phrases.jsonl", f'"{name}"').replace("wheel:tiny==1.0", f'"./{name}"')
    assert [line.split(":")[3] for line in complaints(text)] == [" models.student", " data.sources[0].file"]
    assert "models.student: " in complaints(SPEC.replace("wheel:tiny==1.0", f'"{name}"'))[0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("evaluate: [ordering, classes]", "10:22: evaluate[1]: 'classes' is for 'label' answers, "
         "the task 'sorting' has 'order'; use: ordering"),
        ("evaluate: [ordering, ordering]", "10:22: evaluate[1]: 'ordering' reports tau, exact, "
         "as does 'ordering'; keep one"),
        ("gate: {metric: f1}", "10:8: gate.metric: no eval reports 'f1'; add the eval 'classes', "
         "which reports it; known: exact, tau"),
        ("contenders: [tuned, tuned]", "10:1: contenders: no baseline to compare with; "
         "add one, such as 'untuned'"),
        ("contenders: [alphabet, untuned]", "10:1: contenders: no contender uses the trained artifact; add 'tuned'"),
        ("    - words", "10:7: data.sources[1]: the task 'sorting' needs the column order; 'words' provides phrase"),
        ("objective: contrast\ntargets: [shelf]", "11:11: targets[0]: can not serve the head 'scorer'; "
         "use another objective"),
        ("  split: {stratify: lenght}", "10:11: data.split.stratify: rows have no column 'lenght'; "
         "did you mean 'length'?"),
    ],
)
def test_parts_that_do_not_fit_are_told_where_they_stand(lines: str, message: str) -> None:
    assert f"s.yaml:{message}" in complaints(SPEC + lines + "\n")


def test_columns_are_there_from_the_step_that_gives_them_on() -> None:
    settled(SPEC + "  synthesize: [shuffle]\n  curate: [short]\nobjective: contrast\n")
    assert complaints(SPEC + "objective: contrast\n") == [
        "s.yaml:10:1: objective: 'contrast' needs the column wrong; its rows have phrase, order, length"
    ]


def test_a_table_must_come_from_some_source() -> None:
    text = SPEC.replace("    - kind: lines\n      file: phrases.jsonl\n", "    - words\n")
    assert "needs the table words; add a source that provides it" in complaints(text)[0]


class Clumsy(Shelf):
    """Raises instead of answering."""

    kind = "clumsy"

    def explain_refusal(self, manifest: object) -> str:
        raise KeyError("rank")


def test_a_plugin_that_raises_is_named(folder: Path) -> None:
    registry = Registry.from_classes([*REGISTRY.list_classes(), Clumsy])
    Path("s.yaml").write_text(SPEC + "targets: [clumsy]\n")
    with pytest.raises(PluginError, match=r"^target 'clumsy': KeyError: 'rank'$"):
        resolve_spec(Path("s.yaml"), registry=registry)


class Untidy(Sorting):
    """A task whose own defaults are wrong."""

    kind = "untidy"

    @classmethod
    def get_defaults(cls) -> dict[str, object]:
        return {**super().get_defaults(), "adapter": {"rank": 0}}


def test_a_default_that_is_wrong_is_the_tasks_fault() -> None:
    registry = Registry.from_classes([*REGISTRY.list_classes(), Untidy])
    Path("s.yaml").write_text(SPEC.replace("sorting", "untidy"))
    with pytest.raises(SpecError) as caught:
        resolve_spec(Path("s.yaml"), registry=registry)
    assert str(caught.value) == (
        "s.yaml:3:1: adapter.rank: must be at least 1, got 0 (a default of the task 'untidy')"
    )
