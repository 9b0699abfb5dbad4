"""What a spec leaves to its rows is chosen from their number and lengths, told with its reason, and used everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_retrieval import write
from toy_builds import build, events

from factory.api import Schedule
from factory.data.rows import write_json
from factory.engine.chosen_settings import find_chosen_settings
from factory.engine.memory_plan import describe_training_memory, list_planned_trainings, require_training_memory
from factory.errors import InputError
from factory.events import Noted
from factory.models.training_memory import GIB, TrainingSize, explain_misfit
from factory.plan.compiler import compile_plan
from factory.registry.registry import Registry
from factory.spec.layers import resolve_spec
from factory.stages.settings import Room, choose_length
from factory.store.chosen_settings import apply_chosen_settings
from factory.store.outputs import Store


@pytest.mark.parametrize(("rows", "most", "size", "epochs"), [
    (3200, 10**6, 32, 1),
    (2304, 10**6, 32, 2),
    (770, 10**6, 32, 5),
    (150, 10**6, 16, 10),  # an epoch of 8 steps at least; 11 epochs would make 100 steps
    (20, 10**6, 4, 10),
    (3200, 20, 16, 1),  # 20 rows fit into memory
    (3200, 0, 1, 1),
])
def test_few_rows_take_smaller_steps_and_more_epochs(rows: int, most: int, size: int, epochs: int) -> None:
    schedule = Schedule(steps=100, least_epochs=1, most_epochs=10, batch_size=32)
    assert schedule.choose_batch_size(rows, most) == size
    assert schedule.choose_epochs(rows, size) == epochs


@pytest.mark.parametrize(("longest", "room", "value", "is_limit"), [
    (62, Room(512, 10**6, 8.0), 80, False),  # 77.5, rounded up to a multiple of 16
    (5, Room(512, 10**6, 8.0), 32, False),
    (400, Room(512, 10**6, 8.0), 512, False),  # all texts fit, with less than a quarter to spare
    (900, Room(512, 10**6, 8.0), 512, True),
    (900, Room(0, 700, 0.2), 700, True),  # no limit of the base, little memory
])
def test_a_length_has_room_for_all_texts_or_is_what_base_and_memory_allow(
    longest: int, room: Room, value: int, is_limit: bool
) -> None:
    choice = choose_length("objective.max_length", [3, longest], room)
    assert (choice.value, choice.is_limit) == (value, is_limit)
    assert f"the longest of 2 texts has {longest} tokens" in choice.reason
    if is_limit:
        assert ("the base reads no more" in choice.reason) == (value == 512)


def test_only_what_was_left_open_is_set_in_blocks_and_in_the_spec_of_a_bundle() -> None:
    settings = {"chosen": {"objective": {"max_length": 80}, "train": {"epochs": 3}}}
    config = {"objective": {"kind": "x", "max_length": "auto"}, "train": {"epochs": 2, "seed": 7}, "seed": 1}
    config["spec"] = {"objective": {"kind": "x", "fields": {"max_length": "auto"}}, "train": {"epochs": "auto"}}
    assert apply_chosen_settings(config, settings) == {
        "objective": {"kind": "x", "max_length": 80}, "train": {"epochs": 2, "seed": 7}, "seed": 1,
        "spec": {"objective": {"kind": "x", "fields": {"max_length": 80}}, "train": {"epochs": 3}},
    }


def test_a_training_that_can_not_fit_is_refused_once_its_base_is_known(tiny_retrieval: Path, tmp_path: Path) -> None:
    home, registry = tmp_path / "home", Registry.load([])
    resolved = resolve_spec(tiny_retrieval, registry=registry, overrides=["budget.memory=300MiB"])
    plan = compile_plan(resolved)
    require_training_memory(plan, resolved, home)  # nothing is known of its base
    base = Store(home).locate_output("base", plan["base"].key).output
    (base / "model").mkdir(parents=True)
    (base / "model" / "config.json").write_text(json.dumps({
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064, "hidden_act": "silu", "tie_word_embeddings": False,
    }))
    write_json(base.parent / "stage.json", {"stage": "base", "files": {}})
    with pytest.raises(InputError, match=r"lora of 7\.6 billion parameters takes at least 4\d\.\d GiB of 0\.3; train"):
        require_training_memory(plan, resolved, home)
    require_training_memory(plan.slice_until("curate"), resolved, home)  # it trains nothing
    shape = list_planned_trainings(plan, resolved, home)[0].shape
    told = explain_misfit(shape, TrainingSize("full"), 10 * GIB)
    assert told.startswith("training does not fit: full of 7.6 billion parameters takes at least 114.1 GiB of 10.0; ")
    assert told.endswith("; `adapter.kind: qlora` takes 6.1")
    assert explain_misfit(shape, TrainingSize("full"), 200 * GIB) == ""


def test_a_plain_spec_of_documents_longer_than_the_base_reads_is_built_and_says_what_it_chose(
    tiny_retrieval: Path, tmp_path: Path
) -> None:
    corpus = tiny_retrieval.with_name("corpus.jsonl")
    documents = [json.loads(line) for line in corpus.read_text().splitlines()]
    write(corpus, [{**document, "text": " ".join([document["text"]] * 15)} for document in documents])
    plain = tiny_retrieval.read_text().replace("max_length: 16, ", "").replace("batch_size: 8, ", "")
    tiny_retrieval.write_text(plain)
    home = tmp_path / "home"
    resolved = resolve_spec(tiny_retrieval, registry=Registry.load([]))
    before = find_chosen_settings(resolved, home)
    assert {*before} == {"objective.max_length", "train.batch_size"}
    assert all(setting["chosen"] is None for setting in before.values())

    code, lines = build(tiny_retrieval, home)
    assert code in (0, 2, 3), lines
    after = find_chosen_settings(resolved, home)
    assert after["objective.max_length"] == {
        "chosen": 64, "reason": "the longest of 130 texts has 77 tokens, and the base reads no more",
    }
    assert after["train.batch_size"]["chosen"] == 8
    notes = [event.text for event in events(home) if isinstance(event, Noted)]
    assert any(text.startswith("objective.max_length: 64, as the longest of") for text in notes)
    assert any(text.startswith("truncated: ") for text in notes)
    (line,) = describe_training_memory(compile_plan(resolved), resolved, home)
    # five texts of an example, with the 64 tokens that the base reads, and eight examples
    assert line.startswith("training takes about 0.6 GiB at its peak, 2,560 tokens a step: ")
    assert "libraries 0.6" in line and "budget.memory" not in line
    recorded = json.loads(next(home.glob("store/bundle/*/output/factory/spec.json")).read_text())
    assert recorded["objective"]["fields"]["max_length"] == 64 and recorded["train"]["batch_size"] == 8
