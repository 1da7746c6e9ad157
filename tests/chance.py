"""How many of a sample may be exceptions, where a share of all may be."""

from __future__ import annotations


def most(count: int, share: float, confidence: float = 0.95) -> int:
    """Return the number that exceptions among ``count`` stay within in ``confidence`` of all samples.

    Each of ``count`` is one with probability ``share``: the quantile of the binomial distribution.
    """
    number, probability = 0, (1 - share) ** count
    total = probability
    while total < confidence:
        number += 1
        probability *= (count - number + 1) / number * share / (1 - share)
        total += probability
    return number
