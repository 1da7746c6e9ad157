"""Which methods there are depends on the frameworks that are installed."""

from __future__ import annotations

import pytest

from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.methods import names


def test_a_framework_is_a_method_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "names", lambda: ("numpy", "another", "torch"))
    try:
        for name in ("METHOD_NAMES", "DEFAULT_METHODS", "AUTODIFF_METHODS"):
            vars(names).pop(name, None)
        assert names.DEFAULT_METHODS == (
            "central",
            "forward",
            "reference",
            "another",
            "torch",
            "user",
            "oracle",
        )
        assert names.AUTODIFF_METHODS == ("another", "torch")
    finally:
        for name in ("METHOD_NAMES", "DEFAULT_METHODS", "AUTODIFF_METHODS"):
            vars(names).pop(name, None)
    monkeypatch.undo()
    assert names.METHOD_NAMES == (
        "central",
        "forward",
        "complex_step",
        "reference",
        "jax",
        "torch",
        "user",
        "oracle",
        "exact",
    )


def test_a_name_that_is_none() -> None:
    with pytest.raises(AttributeError, match="METHODS"):
        names.METHODS  # noqa: B018  asked for, to see it refused
