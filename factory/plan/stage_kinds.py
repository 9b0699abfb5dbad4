"""The kinds of stages, in the order of a plan. A new kind is one entry here, and the module that runs it.

The table imports nothing: planners and modules are named, and imported when a plan is compiled or a stage runs.
"""

from __future__ import annotations

from dataclasses import dataclass

BUILD, ADVICE, ATTACK, DATA = "build", "advice", "attack", "data"
"""The plans that a spec compiles to: of `factory build`, `factory advise`, `factory check --metric`, `factory data`."""


@dataclass(frozen=True, slots=True)
class StageKind:
    """A kind of stage, of which a plan may hold several stages: `answer[bm25]`, `answer[tuned]`.

    `version` enters the key: bump it when the output changes though the fields do not. `title` tells users what the
    stage does. `seconds` and `mib` are (least, most) before the first run on a machine. `plugin_field` is the field of
    the config with the plugins that the stage runs. `plans` lists the plans that have such stages.
    """

    name: str
    version: int
    title: str
    seconds: tuple[float, float]
    mib: tuple[float, float]
    plugin_field: str = ""
    plans: tuple[str, ...] = (BUILD,)
    planner: str = ""
    """`MODULE:FUNCTION` that adds the stages to a plan, as (builder, resolved spec); empty: `add_NAME` of ours."""
    module: str = ""
    """The module whose `run(job)` executes a stage; empty: `factory.stages.NAME`."""

    @property
    def planner_path(self) -> str:
        return self.planner or f"factory.plan.compiler:add_{self.name}"

    @property
    def module_path(self) -> str:
        return self.module or f"factory.stages.{self.name}"


ROWS = (BUILD, ADVICE, DATA)
ALL = (BUILD, ADVICE, ATTACK, DATA)
COURSE = (BUILD, DATA)
"""Plans with the rows, and if they train the trainings, of each step of a training course."""
STAGE_KINDS = (
    StageKind(
        "base", 1, "resolve a base model to a folder with a digest and a licence",
        seconds=(1, 300), mib=(100, 1500), plans=ALL,
    ),
    StageKind(
        "gather", 2, "read the sources into rows with their provenance",
        seconds=(0.5, 120), mib=(100, 2000), plugin_field="sources", plans=ALL,
    ),
    StageKind(
        "prepare", 2, "add computed columns, without reading labels",
        seconds=(1, 600), mib=(300, 4000), plugin_field="task", plans=ALL,
    ),
    StageKind(
        "freeze", 2, "hold out test and validation rows (frozen)", seconds=(0.1, 60), mib=(100, 2000), plans=ALL,
    ),
    StageKind(
        "synthesize", 2, "add synthetic training rows",
        seconds=(0.1, 1800), mib=(100, 4000), plugin_field="synthesizers", plans=ROWS,
    ),
    StageKind(
        "curate", 4, "drop duplicates and leaks from the training rows",
        seconds=(0.5, 300), mib=(100, 4000), plugin_field="curators", plans=ROWS,
    ),
    StageKind(
        "review", 2, "apply the experts' decisions to the training rows",
        seconds=(0.1, 60), mib=(100, 2000), plans=ROWS, planner="factory.plan.review_stage:add_review",
    ),
    StageKind(
        "settings", 2, "choose what the spec leaves to its rows", seconds=(1, 120), mib=(300, 4000),
        plugin_field="objective", plans=(BUILD, ADVICE), planner="factory.plan.settings_stage:add_settings",
    ),
    StageKind(
        "baseline_trial", 2, "try a contender that needs no training on validation rows",
        seconds=(0.5, 600), mib=(300, 8000), plugin_field="contender", plans=(ADVICE,),
    ),
    StageKind("advice", 1, "advise whether to fine-tune", seconds=(0.1, 30), mib=(100, 2000), plans=(ADVICE,)),
    StageKind(
        "attack", 1, "score degenerate answers by the deciding metric",
        seconds=(1, 300), mib=(100, 4000), plugin_field="evals", plans=(ATTACK,),
        planner="factory.plan.attack_plan:add_attack",
    ),
    StageKind(
        "audit", 1, "check training and frozen rows as data", seconds=(0.1, 300), mib=(100, 4000), plugin_field="task",
        plans=(DATA,), planner="factory.plan.audit_plan:add_audit",
    ),
    StageKind(
        "preflight", 4, "check rows and tokens before training", seconds=(1, 300), mib=(300, 4000),
        plugin_field="objective", planner="factory.plan.audit_plan:add_preflight",
    ),
    StageKind(
        "train", 2, "train the specialist", seconds=(10, 7200), mib=(500, 16000), plugin_field="objective",
        planner="factory.plan.seed_plan:add_train",
    ),
    StageKind(
        "answer", 3, "let a contender answer the test rows",
        seconds=(0.5, 1800), mib=(300, 8000), plugin_field="contender", planner="factory.plan.seed_plan:add_answer",
    ),
    StageKind(
        "look", 1, "count how often the test rows were judged", seconds=(0.1, 30), mib=(100, 1000),
        planner="factory.plan.look_stage:add_look",
    ),
    StageKind(
        "score", 3, "score the answers of all contenders", seconds=(0.2, 120), mib=(100, 2000), plugin_field="evals",
    ),
    StageKind(
        "forgetting", 2, "compare base and tuned model on items unrelated to the task",
        seconds=(0.5, 3600), mib=(100, 8000), plugin_field="probe",
    ),
    StageKind("gate", 4, "decide the verdict", seconds=(0.5, 60), mib=(100, 1000)),
    StageKind("bundle", 4, "write the deployable folder", seconds=(1, 120), mib=(300, 4000), plugin_field="targets"),
    StageKind(
        "certify", 4, "load the bundle with a plain library, and compare the answers",
        seconds=(5, 300), mib=(500, 4000),
    ),
)


def find_stage_kind(stage: str) -> StageKind:
    """Return the kind of a stage by its name, such as `answer[bm25]`.

    A journal of a newer version may hold other kinds: they have version 0, no title, and the widest guess.
    """
    name = stage.partition("[")[0]
    known = next((kind for kind in STAGE_KINDS if kind.name == name), None)
    return known or StageKind(name, 0, "", (0.5, 3600), (100, 8000))
