"""The device of this machine, the dtypes that suit it, and torch's seeds and threads.

The precision of the frozen base is chosen by measurement: some CPUs multiply bf16 four to ten times faster than fp32,
others slower. The choice changes the last digits of the adapter; set `train.precision` for equal builds on different
machines.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

import torch
from safetensors import safe_open
from torch.nn import functional

BENCHMARK_ROWS, BENCHMARK_WIDTH, BENCHMARK_ROUNDS = 1024, 768, 5


def choose_device() -> torch.device:
    """Return the device on which models train and answer: the first CUDA GPU, else Apple's GPU (MPS), else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def reset_torch_state(seed: int) -> None:
    """Reset seeds, threads and deterministic kernels, whatever ran in this process before."""
    torch.manual_seed(seed)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # no kernel here reads uninitialised memory


def choose_training_dtype(precision: str, work: Path) -> torch.dtype:
    """Return the dtype of `fp32`, `bf16` or `auto`: bf16 on GPUs that support it, and on CPUs where it saves a fifth.

    The choice of `auto` is stored in `work`, so that a resumed training run uses the same precision.
    """
    choice = work / "precision"
    if precision == "auto":
        if not choice.is_file():
            choice.write_text("bf16" if _is_bf16_faster() else "fp32")
        precision = choice.read_text()
    return torch.bfloat16 if precision == "bf16" else torch.float32


def find_stored_dtype(folder: Path) -> torch.dtype:
    """Return bf16 if every weight in a model's folder is stored so, else fp32: the smallest dtype that is exact."""
    dtypes = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            dtypes |= {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  # it does not iterate
    return torch.bfloat16 if dtypes == {"BF16"} else torch.float32


def choose_inference_dtype() -> torch.dtype:
    """Return the dtype in which a large model runs fastest on this machine."""
    return torch.bfloat16 if _is_bf16_faster() else torch.float32


@cache
def _is_bf16_faster() -> bool:
    device = choose_device().type
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and _time_matmul(torch.bfloat16) < 0.8 * _time_matmul(torch.float32)


def _time_matmul(dtype: torch.dtype) -> float:
    """Return the best time of a matrix product of a small encoder's size, in seconds."""
    x = torch.ones(BENCHMARK_ROWS, BENCHMARK_WIDTH, dtype=dtype)
    weight = torch.ones(BENCHMARK_WIDTH, BENCHMARK_WIDTH, dtype=dtype)
    functional.linear(x, weight)  # warm-up: the first call sets up the kernel
    rounds = []
    for _ in range(BENCHMARK_ROUNDS):
        start = time.perf_counter()
        functional.linear(x, weight)
        rounds.append(time.perf_counter() - start)
    return min(rounds)
