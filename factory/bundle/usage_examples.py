"""Python examples that load a bundle, one for each class of a plain library."""

from __future__ import annotations

from factory.api.label_sets import LABEL_SETS

FOLDER_PLACEHOLDER, BASE_PLACEHOLDER = "PATH_OF_THIS_FOLDER", "BASE_MODEL"

GENERATION_EXAMPLE = (
    "# factory/renderer.json has the templates of the system and the user message.\n"
    'messages = [{"role": "system", "content": "…"}, {"role": "user", "content": "…"}]\n'
    "inputs = tokenizer.apply_chat_template(\n"
    '    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True\n'
    ")\n"
    "answer = model.generate(**inputs, do_sample=False, max_new_tokens=128)\n"
    'print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))'
)
LOADING_EXAMPLES = {
    "sentence_transformers:CrossEncoder": (
        "from sentence_transformers import CrossEncoder\n"
        f'model = CrossEncoder("{FOLDER_PLACEHOLDER}")\n'
        'print(model.predict([("a query", "a document"), ("a query", "another document")]))'
    ),
    "sentence_transformers:SentenceTransformer": (
        "from sentence_transformers import SentenceTransformer\n"
        f'model = SentenceTransformer("{FOLDER_PLACEHOLDER}")\n'
        'print(model.similarity(model.encode(["a query"]), model.encode(["a document", "another document"])))'
    ),
    "sentence_transformers:MultiVectorEncoder": (
        "from sentence_transformers import MultiVectorEncoder\n"
        f'model = MultiVectorEncoder("{FOLDER_PLACEHOLDER}")\n'
        'documents = model.encode_document(["a document", "another document"])\n'
        'print(model.similarity(model.encode_query(["a query"]), documents))'
    ),
    "peft:AutoPeftModelForCausalLM": (
        "from peft import AutoPeftModelForCausalLM\n"
        "from transformers import AutoTokenizer\n"
        f'folder = "{FOLDER_PLACEHOLDER}"\n'
        "model, tokenizer = AutoPeftModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)\n"
        f"{GENERATION_EXAMPLE}"
    ),
    "peft:AutoPeftModelForSequenceClassification": (
        "from peft import AutoPeftModelForSequenceClassification\n"
        "from transformers import AutoTokenizer\n"
        f'folder = "{FOLDER_PLACEHOLDER}"\n'
        "model = AutoPeftModelForSequenceClassification.from_pretrained(folder, num_labels=1)\n"
        "model.config.pad_token_id = -1  # one text at a time has no padding; else a last token like it is skipped\n"
        "tokenizer = AutoTokenizer.from_pretrained(folder)\n"
        "# factory/renderer.json has the templates of the system and the user message.\n"
        'messages = [{"role": "user", "content": "…"}]\n'
        "prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)\n"
        'text = prompt + "an answer" + tokenizer.eos_token\n'
        'inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")\n'
        "print(model(**inputs).logits.item())"
    ),
    "transformers:AutoModelForCausalLM": (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        f'folder = "{FOLDER_PLACEHOLDER}"\n'
        "model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)\n"
        f"{GENERATION_EXAMPLE}"
    ),
}
CLASSIFIER_EXAMPLE = (
    "import json\n"
    "from sentence_transformers import SentenceTransformer\n"
    f'folder = "{FOLDER_PLACEHOLDER}"\n'
    "model = SentenceTransformer(folder)  # its last module is the head: embeddings are logits\n"
    'labels = json.load(open(f"{folder}/labels/config.json", encoding="utf-8"))["id2label"]\n'
    'probabilities = model.encode("a text", convert_to_tensor=True).softmax(-1)\n'
    "best = probabilities.argmax().item()\n"
    "print(labels[str(best)], probabilities[best].item())"
)
"""Of a SentenceTransformer whose embeddings are the logits of labels."""
MULTI_LABEL_EXAMPLE = (
    "import json\n"
    "from sentence_transformers import SentenceTransformer\n"
    f'folder = "{FOLDER_PLACEHOLDER}"\n'
    "model = SentenceTransformer(folder)  # its last module is the head: embeddings are logits\n"
    'config = json.load(open(f"{folder}/labels/config.json", encoding="utf-8"))\n'
    'probabilities = model.encode("a text", convert_to_tensor=True).sigmoid().tolist()\n'
    'for number, (probability, threshold) in enumerate(zip(probabilities, config["thresholds"])):\n'
    "    if probability >= threshold:  # each label has its own threshold\n"
    '        print(config["id2label"][str(number)], probability)'
)
"""Of a SentenceTransformer whose embeddings are the logits of labels, any number of which a text may have."""
OPEN_SET_EXAMPLE = (
    "import json\n"
    "from sentence_transformers import SentenceTransformer\n"
    f'folder = "{FOLDER_PLACEHOLDER}"\n'
    "model = SentenceTransformer(folder)  # its last module is the head: embeddings are logits\n"
    'config = json.load(open(f"{folder}/labels/config.json", encoding="utf-8"))\n'
    'labels, none = config["id2label"], config["none"]\n'
    'own = config["label2id"][none["label"]]  # means none of these: its logit is replaced\n'
    'logits = model.encode("a text", convert_to_tensor=True).clone()\n'
    "others = logits[[index for index in range(len(labels)) if index != own]]\n"
    "rest = others.logsumexp(-1)\n"
    'score = {"energy": -rest, "probability": rest - others.max(), "odds": 0}[none["score"]]\n'
    'odds = none["odds_scale"] * (logits[own] - rest) + none["score_scale"] * score + none["offset"]\n'
    "logits[own] = rest + odds\n"
    "probabilities = logits.softmax(-1)\n"
    "best = probabilities.argmax().item()\n"
    "print(labels[str(best)], probabilities[best].item())"
)
"""The same, where the logit of the label that means none of the others is replaced."""
POINTWISE_EXAMPLE = (
    "import json\n"
    "from peft import AutoPeftModelForCausalLM\n"
    "from transformers import AutoTokenizer\n"
    f'folder = "{FOLDER_PLACEHOLDER}"\n'
    "model, tokenizer = AutoPeftModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)\n"
    'asked = json.load(open(f"{folder}/pointwise.json", encoding="utf-8"))\n'
    'pair = {"{query}": "a query", "{document}": "a document"}\n'
    'for turn in asked["messages"]:\n'
    "    for slot, text in pair.items():\n"
    '        turn["content"] = turn["content"].replace(slot, text)\n'
    "inputs = tokenizer.apply_chat_template(\n"
    '    asked["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True\n'
    ")\n"
    'yes, no = (tokenizer(asked[word], add_special_tokens=False)["input_ids"][0] for word in ("yes", "no"))\n'
    "logits = model(**inputs).logits[0, -1]\n"
    "print((logits[yes] - logits[no]).item())  # the score of the document"
)
"""Of a causal model whose log-odds of yes are the score of a document."""
FROZEN_HEAD_LOGITS = (
    "import json\n"
    "import torch\n"
    "from safetensors.torch import load_file\n"
    "from transformers import AutoModel, AutoTokenizer\n"
    f'folder, base = "{FOLDER_PLACEHOLDER}", "{BASE_PLACEHOLDER}"\n'
    "tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModel.from_pretrained(base)\n"
    'head = load_file(f"{folder}/head.safetensors")\n'
    'config = json.load(open(f"{folder}/head.json", encoding="utf-8"))\n'
    'inputs = tokenizer(["a text"], truncation=True, max_length=config["max_length"], return_tensors="pt")\n'
    "with torch.inference_mode():\n"
    "    embedding = model(**inputs).last_hidden_state.mean(1)  # of many texts, leave out the padding\n"
    'embedding = torch.nn.functional.normalize(embedding, dim=-1)\n'
    'logits = (embedding @ head["weight"].T + head["bias"])[0]\n'
)
FROZEN_HEAD_EXAMPLE = (
    f"{FROZEN_HEAD_LOGITS}"
    "probabilities = logits.softmax(-1)\n"
    "best = probabilities.argmax().item()\n"
    'print(config["labels"][best], probabilities[best].item())'
)
"""Of a linear head on the embeddings of the frozen base."""
FROZEN_SETS_EXAMPLE = (
    f"{FROZEN_HEAD_LOGITS}"
    'for label, probability, threshold in zip(config["labels"], logits.sigmoid().tolist(), config["thresholds"]):\n'
    "    if probability >= threshold:  # each label has its own threshold\n"
    "        print(label, probability)"
)
"""Of such a head, where a text may have any number of labels."""
PROMPT_EXAMPLE = (
    "import json\n"
    "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
    f'folder, base = "{FOLDER_PLACEHOLDER}", "{BASE_PLACEHOLDER}"\n'
    "tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base)\n"
    'prompt = json.load(open(f"{folder}/prompt.json", encoding="utf-8"))\n'
    'chat = prompt["chat"]  # of one test row: replace the last message by your own\n'
    'options = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}\n'
    "inputs = tokenizer.apply_chat_template(chat, **options)\n"
    'answer = model.generate(**inputs, do_sample=False, max_new_tokens=prompt["max_new_tokens"])\n'
    'print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))\n'
    "# A server of this base with an OpenAI-compatible interface takes the same chat:\n"
    "# client.chat.completions.create(\n"
    '#     model=base, messages=chat, temperature=0, max_tokens=prompt["max_new_tokens"]\n'
    "# )"
)
"""Of a prompt for the untuned base."""
PIPELINE_TAGS = {
    "CrossEncoder": "text-ranking", "AutoModelForSequenceClassification": "text-classification",
    "SentenceTransformer": "sentence-similarity", "MultiVectorEncoder": "sentence-similarity",
    "AutoPeftModelForCausalLM": "text-generation", "AutoModelForCausalLM": "text-generation",
    "AutoPeftModelForSequenceClassification": "text-classification",
}


def render_usage_example(
    loader: str, base: str, answers: str = "", *, open_set: bool = False, artifact: str = "adapter"
) -> str:
    """Return Python that loads the bundle with `loader`, a `module:Class`; `answers` is the type of its answers.

    `open_set` says whether its `labels/config.json` replaces the logit of a label that means none of the others.
    `artifact` is the kind of what it carries.
    """
    if artifact == "head" and loader == "transformers:AutoModel":
        example = FROZEN_SETS_EXAMPLE if answers == LABEL_SETS else FROZEN_HEAD_EXAMPLE
        return example.replace(BASE_PLACEHOLDER, base)
    if artifact == "prompt" and loader == "transformers:AutoModelForCausalLM":
        return PROMPT_EXAMPLE.replace(BASE_PLACEHOLDER, base)
    if answers == "labels" and loader.endswith(":SentenceTransformer"):
        return OPEN_SET_EXAMPLE if open_set else CLASSIFIER_EXAMPLE
    if answers == LABEL_SETS and loader.endswith(":SentenceTransformer"):
        return MULTI_LABEL_EXAMPLE
    if answers == "ranking" and loader.endswith("ForCausalLM"):
        return POINTWISE_EXAMPLE
    module, _, name = loader.partition(":")
    other = f'from {module} import {name}  # on {base}\nmodel = {name}.from_pretrained("{FOLDER_PLACEHOLDER}")\n'
    return LOADING_EXAMPLES.get(loader, f"{other}print(model)")


def get_library_name(loader: str) -> str:
    """Return the Hub's name of the library that loads the bundle."""
    return loader.partition(":")[0].partition(".")[0].replace("_", "-") or "peft"


def get_pipeline_tag(loader: str, answers: str = "") -> str:
    """Return the Hub's pipeline tag for a model of this class with answers of this type."""
    if answers in ("labels", LABEL_SETS):
        return "text-classification"
    if answers == "ranking" and loader.endswith("ForCausalLM"):
        return "text-ranking"
    return PIPELINE_TAGS.get(loader.partition(":")[2], "feature-extraction")
