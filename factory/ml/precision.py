"""Which precision the frozen base should be held in on this machine: measured, not assumed.

Some CPUs multiply bf16 four to ten times faster than fp32, others slower. The answer changes the adapter's last
digits, so a build that must be equal on unlike machines sets `train.precision`.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import torch
from torch.nn import functional

BENCHMARK_ROWS, BENCHMARK_WIDTH, BENCHMARK_ROUNDS = 1024, 768, 5


def choose_training_dtype(wanted: str, work: Path) -> torch.dtype:
    """`fp32` and `bf16` as asked; `auto` is bf16 on a GPU that has it, and on a CPU where it wins by a fifth.

    What `auto` found is kept in `work`, so that a fit that was killed goes on as it began.
    """
    kept = work / "precision"
    if wanted == "auto":
        if not kept.is_file():
            kept.write_text("bf16" if _is_bf16_faster() else "fp32")
        wanted = kept.read_text()
    return torch.bfloat16 if wanted == "bf16" else torch.float32


def choose_inference_dtype() -> torch.dtype:
    """The type in which a large model answers fastest here."""
    return torch.bfloat16 if _is_bf16_faster() else torch.float32


@cache
def _is_bf16_faster() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return _time_matmul(torch.bfloat16) < 0.8 * _time_matmul(torch.float32)


def _time_matmul(dtype: torch.dtype) -> float:
    """The best of a few rounds of a matrix product of the size that a small encoder meets."""
    x, weight = torch.ones(BENCHMARK_ROWS, BENCHMARK_WIDTH, dtype=dtype), torch.ones(BENCHMARK_WIDTH, BENCHMARK_WIDTH, dtype=dtype)
    functional.linear(x, weight)
    rounds = []
    for _ in range(BENCHMARK_ROUNDS):
        start = time.perf_counter()
        functional.linear(x, weight)
        rounds.append(time.perf_counter() - start)
    return min(rounds)
