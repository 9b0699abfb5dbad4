"""A baseline on frozen embeddings is deployed as a head: it answers as the baseline did, also by plain transformers."""

from dataclasses import replace
from pathlib import Path

import classify_parts
import multi_label_parts
import pytest

from factory.api import AnswerJob, Artifact, Base
from factory.stages.job import load_toolbox
from factory_classify.embedding_baselines import Centroid, Knn, Linear
from factory_classify.frozen_base_head import FrozenBaseHead

RINGS = [(Linear(), "labels"), (Centroid(), "labels"), (Linear(), "label-sets")]


def prepare(folder: Path, output_type: str) -> AnswerJob:
    """A job over texts, of one label or several, with a random BERT that knows their words."""
    work = (multi_label_parts if output_type == "label-sets" else classify_parts).ask()
    model = Base(classify_parts.base(folder / "base"), "local/tiny", "0", "tiny", "CC0-1.0")
    return replace(work, base=model, kit_loader=load_toolbox)


@pytest.mark.parametrize(("contender", "output_type"), RINGS, ids=["linear", "centroid", "linear of sets"])
def test_the_head_answers_as_the_baseline_here_and_by_transformers(
    contender: Linear | Centroid, output_type: str, tmp_path: Path
) -> None:
    work, folder = prepare(tmp_path, output_type), tmp_path / "head"
    folder.mkdir()
    judged = [answer.output for answer in contender.answer(work)]
    result = contender.export_artifact(work, folder)
    assert (result.artifact, result.modules, result.steps) == ("head", 0, 0)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2000
    responder, artifact = contender.find_responder(work.task), Artifact("head", folder, work.base)
    assert isinstance(responder, FrozenBaseHead)
    served = responder.answer(work.build_model_job(artifact))
    library = responder.generate_reference_answers(work.build_model_job(artifact))
    untuned = responder.generate_reference_answers(work.build_model_job(None))
    for answers in (list(served), library.answers):
        for own, expected in zip(answers, judged, strict=True):
            assert own.output.keys() == expected.keys()
            assert all(own.output[label] == pytest.approx(expected[label], abs=1e-5) for label in expected)
    assert [each.output for each in untuned.answers] != judged and library.modules == 0


def test_what_is_no_linear_layer_of_the_embedding_is_not_deployed() -> None:
    single, several = classify_parts.ask().task, multi_label_parts.ask().task
    assert Knn().find_responder(single) is None and Centroid().find_responder(several) is None
