"""The options are spelled once: signature, table of names and defaults are the same."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from pytest_gradcheck import InvalidArgument, check_gradients
from pytest_gradcheck.core.options import OF_TESTS, OPTION_NAMES, Options


def test_the_signature_has_every_option_with_its_default() -> None:
    signature = inspect.signature(check_gradients).parameters
    of_signature = {p.name: p.default for p in signature.values() if p.kind is p.KEYWORD_ONLY}
    of_options = {f.name: f.default for f in fields(Options) if f.init and f.name not in OF_TESTS}
    assert of_signature == of_options
    assert tuple(of_signature) == OPTION_NAMES


def test_options_are_validated_wherever_they_are_made() -> None:
    with pytest.raises(InvalidArgument, match="mode"):
        Options(mode="half")
    assert Options(methods=iter(("central", "reference"))).chosen == ("central", "reference")


@pytest.mark.parametrize(
    ("rtol", "eps", "allowed", "promised"),
    [
        (None, 2.0**-52, 1e-6, 1e-3),
        (None, 2.0**-23, 2e-4, 1e-3),
        (None, 2.0**-7, 2.0**-4, 1e-3),
        (0.1, 2.0**-52, 0.1, 0.2),
    ],
)
def test_the_tolerance_follows_the_dtype(
    rtol: float | None, eps: float, allowed: float, promised: float
) -> None:
    tolerance = Options(rtol=rtol).tolerance(eps, 0.0)
    assert (tolerance.rtol, tolerance.sensitivity) == (allowed, promised)
