"""The page that tells which training fits on which card, from the estimator that plans use."""

from __future__ import annotations

from collections.abc import Iterator

from factory.models.training_memory import GIB, ModelShape, TrainingSize, estimate_training_memory

TOKENS, ANSWER_TOKENS = 2048, 512
CARDS = (8, 16, 24, 48, 80, 141)
"""GB of memory of cards that are sold."""
SPARE = 0.95
"""Share of a card's memory that a process can have; the rest is the driver's."""
SHAPES = {
    "0.5B": ModelShape(24, 896, 4864, 151936, 14, 2, 64),
    "1.5B": ModelShape(28, 1536, 8960, 151936, 12, 2, 128),
    "3B": ModelShape(36, 2048, 11008, 151936, 16, 2, 128),
    "7B": ModelShape(28, 3584, 18944, 152064, 28, 4, 128, tied=False),
    "14B": ModelShape(48, 5120, 13824, 152064, 40, 8, 128, tied=False),
    "32B": ModelShape(64, 5120, 27648, 152064, 40, 8, 128, tied=False),
    "70B": ModelShape(80, 8192, 29568, 152064, 64, 8, 128, tied=False),
}
"""Those of Qwen2.5, whose largest has 72 billion parameters."""
METHODS = {
    "LoRA": TrainingSize("lora", TOKENS, ANSWER_TOKENS, number_bytes=2, plain=True),
    "QLoRA": TrainingSize("qlora", TOKENS, ANSWER_TOKENS, number_bytes=2, plain=True),
    "all weights": TrainingSize("full", TOKENS, ANSWER_TOKENS, number_bytes=4, plain=True),
}


def build_memory_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([*_list_lines(), ""])


def _list_lines() -> Iterator[str]:
    yield from (
        "# What fits where", "",
        f"The peak of a training in GiB, for steps of {TOKENS:,} tokens of which {ANSWER_TOKENS} are answers, rank 32, "
        "a frozen base in bf16 (all weights: fp32), on the backend `hf`. In brackets the smallest card that it fits "
        f"on, of {', '.join(map(str, CARDS[:-1]))} and {CARDS[-1]} GB, with 5 % to spare; a dash where it fits on "
        "none.", "",
        f"| parameters | {' | '.join(METHODS)} |", f"|---|{'---|' * len(METHODS)}",
    )
    for name, shape in SHAPES.items():
        cells = [_describe_peak(estimate_training_memory(shape, size).total) for size in METHODS.values()]
        yield f"| {name} | {' | '.join(cells)} |"
    yield from (
        "", "Counted are libraries, weights, what is trained with its gradient and the two moments of Adam, and what "
        "the backward pass needs of each token. Twice the tokens of a step take twice the activations: smaller steps "
        "(`train.batch_size`) are the first thing to try. `benchmarks/training_memory.py` measures how far the "
        "estimates are off: less than 10 % for LoRA and for preferences, on both backends.",
    )


def _describe_peak(total: float) -> str:
    card = next((str(card) for card in CARDS if total <= SPARE * card * 1e9), "–")
    return f"{total / GIB:.1f} ({card})"
