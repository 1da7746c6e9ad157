"""What a dispute costs that is settled by proof: python -m tests.benchmarks.proofs.

Prints how many operations are recorded, at which precision they are enclosed, and the best of five times on
the clock of the process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from reference_engine.balls import enclose

INPUTS = np.linspace(0.1, 2.0, 20)


def elementwise(x: Any) -> Any:
    """97 operations on vectors of 20 entries."""
    for _ in range(12):
        x = np.tanh(x) * 1.1 + np.sin(x) * np.exp(-x * x)
    return x.sum()


def layers(x: Any) -> Any:
    """99 operations, a third of them products with a full matrix."""
    weights = np.sin(np.arange(400.0).reshape(20, 20)) / 5
    for _ in range(33):
        x = np.tanh(weights @ x + 0.1)
    return x


def cost(function: Callable[..., Any]) -> tuple[int, int, float]:
    """Recorded operations, bits, and seconds."""
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        found = enclose(lambda x: [function(x)], [INPUTS], [np.arange(20)])
        best = min(best, time.process_time() - start)
    return found.operations, found.bits, best


def main() -> None:
    """Print a line for each function."""
    for function in (elementwise, layers):
        operations, bits, seconds = cost(function)
        print(f"{function.__name__}: {operations} operations, 20 inputs, {bits} bits: {seconds * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
