"""A reranker small enough to load in a second: cosine over a random BERT of 32 dimensions, with a real PEFT adapter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from factory.api import Answer, ModelJob, Objective, Plugin, ReferenceAnswers, Row, Task, hookimpl


class Tiny(Task):
    """Documents for a query."""

    kind = "tiny"
    columns = ("query",)
    tables = ("documents",)
    output_type = "ranking"
    text_column = "query"

    def get_templates(self) -> dict[str, str]:
        return {"query": "{query}", "document": "{text}"}


class TinyCosine(Objective):
    """Cosine of mean-pooled embeddings."""

    kind = "tiny-cosine"
    output_type = "ranking"
    loader_class = "sentence_transformers:SentenceTransformer"

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        import torch
        from peft import PeftModel
        from transformers import AutoModel, AutoTokenizer

        model: Any = AutoModel.from_pretrained(job.base.folder)
        if job.artifact:
            model = PeftModel.from_pretrained(model, str(job.artifact.folder))
        tokenizer = AutoTokenizer.from_pretrained(job.base.folder)

        def embed(texts: list[str]) -> torch.Tensor:
            batch = tokenizer(texts, padding=True, return_tensors="pt")
            with torch.no_grad():
                states = model.eval()(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

        for row in job.rows:
            scores = embed([row["query"]]) @ embed(_documents(job, row)).T
            yield Answer(row.id, scores[0].tolist())

    def export_files(self, job: ModelJob, bundle: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            _base(job).save_pretrained(folder)
            for path in Path(folder).rglob("*"):
                name = path.relative_to(folder)
                if path.is_file() and name.as_posix() not in ("model.safetensors", "config.json", "README.md"):
                    (bundle / name).parent.mkdir(exist_ok=True)
                    shutil.copyfile(path, bundle / name)

    def generate_reference_answers(self, job: ModelJob) -> ReferenceAnswers:
        from peft.tuners.lora import LoraLayer
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(job.artifact.folder)) if job.artifact else _base(job)
        answers = []
        for row in job.rows:
            scores = model.similarity(model.encode([row["query"]]), model.encode(_documents(job, row)))
            answers.append(Answer(row.id, scores[0].tolist()))
        modules = sum(isinstance(module, LoraLayer) for module in model.modules())
        return ReferenceAnswers(tuple(answers), modules, "sentence-transformers")


def _documents(job: ModelJob, row: Row) -> list[str]:
    return [job.tables["documents"][name]["text"] for name in row["candidates"]]


def _base(job: ModelJob) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    transformer = Transformer(str(job.base.folder))
    return SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())])


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    return [Tiny, TinyCosine]
