"""How a person loads a bundle: a few lines for each class of a plain library."""

from __future__ import annotations

FOLDER = "PATH_OF_THIS_FOLDER"

EXAMPLES = {
    "sentence_transformers:CrossEncoder": (
        "from sentence_transformers import CrossEncoder\n"
        f'model = CrossEncoder("{FOLDER}")\n'
        'print(model.predict([("a query", "a document"), ("a query", "another document")]))'
    ),
    "sentence_transformers:SentenceTransformer": (
        "from sentence_transformers import SentenceTransformer\n"
        f'model = SentenceTransformer("{FOLDER}")\n'
        'print(model.similarity(model.encode(["a query"]), model.encode(["a document", "another document"])))'
    ),
    "sentence_transformers:MultiVectorEncoder": (
        "from sentence_transformers import MultiVectorEncoder\n"
        f'model = MultiVectorEncoder("{FOLDER}")\n'
        'documents = model.encode_document(["a document", "another document"])\n'
        'print(model.similarity(model.encode_query(["a query"]), documents))'
    ),
    "transformers:AutoModelForSequenceClassification": (
        "from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline\n"
        f'folder = "{FOLDER}"\n'
        'config = AutoConfig.from_pretrained(f"{folder}/labels")\n'
        "model = AutoModelForSequenceClassification.from_pretrained(folder, config=config)\n"
        'classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(folder))\n'
        'print(classify("a text", top_k=3))'
    ),
}
PIPELINES = {
    "CrossEncoder": "text-ranking",
    "AutoModelForSequenceClassification": "text-classification",
    "SentenceTransformer": "sentence-similarity", "MultiVectorEncoder": "sentence-similarity",
    "AutoPeftModelForCausalLM": "text-generation", "AutoPeftModelForSequenceClassification": "text-classification",
}


def example(loader: str, base: str) -> str:
    """Python that loads the bundle by `loader`, a `module:Class`."""
    if loader in EXAMPLES:
        return EXAMPLES[loader]
    module, _, name = loader.partition(":")
    return f'from {module} import {name}  # on {base}\nmodel = {name}.from_pretrained("{FOLDER}")\nprint(model)'


def library(loader: str) -> str:
    """The Hub's name of the library that loads the bundle."""
    module = loader.partition(":")[0].partition(".")[0]
    return module.replace("_", "-") or "peft"


def pipeline(loader: str) -> str:
    """The Hub's name of what a model of this class does."""
    return PIPELINES.get(loader.partition(":")[2], "feature-extraction")
