"""`reference_engine.scipy` against scipy itself, differences, and the plugin's own check."""

from __future__ import annotations

from typing import Any

import pytest
from engine_samples_scipy import LINALG, SPECIAL
from test_engine_rules import test_rule_agrees_with_differences as agrees_with_differences

pytestmark = pytest.mark.kernels

CASES = [
    pytest.param(*sample, id=f"{name}-{i}")
    for register in (LINALG, SPECIAL)
    for name, samples in register.items()
    for i, sample in enumerate(samples)
]


@pytest.mark.parametrize(("function", "args"), CASES)
def test_rule_agrees_with_differences(function: Any, args: Any) -> None:
    agrees_with_differences(function, args)
