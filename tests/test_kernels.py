"""Settings for other kernels: three on every processor, none of which asks for what the processor lacks."""

from __future__ import annotations

import numpy as np
import pytest

from tests import kernels

#: The features that NumPy finds, as several of its versions name them.
PROCESSORS = {
    "AVX-512": ["X86_V3", "X86_V4", "AVX512_ICL", "AVX512_SPR"],
    "AVX-512, NumPy 2.0": ["SSSE3", "SSE42", "AVX", "FMA3", "AVX2", "AVX512F", "AVX512_SKX"],
    "AVX2": ["X86_V3"],
    "SSE4.2": [],
    "ARM": ["ASIMDHP", "ASIMDDP", "SVE"],
}


@pytest.mark.parametrize("found", PROCESSORS.values(), ids=PROCESSORS)
def test_there_are_three_settings_of_what_is_found(found: list[str]) -> None:
    settings = list(kernels.settings(found).values())
    assert len(settings) == 3
    assert all(one not in settings[:k] for k, one in enumerate(settings))
    for setting in settings:
        assert set(setting.get("NPY_DISABLE_CPU_FEATURES", "").split()) <= set(found)
        assert setting.keys() <= set(kernels.VARIABLES)
        wide = any("512" in name for name in found)
        assert wide or setting.get("ATEN_CPU_CAPABILITY", "default") == "default"


def test_only_files_with_such_tests_are_collected() -> None:
    chosen = kernels.files(["-n", "2"])
    assert str(kernels.ROOT / "tests/core/test_message.py") in chosen
    assert str(kernels.ROOT / "tests/test_architecture.py") not in chosen
    assert kernels.files(["-x", "tests/core/test_message.py::test_a"]) == []


def test_a_setting_stands_instead_of_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OTHER", "kept")
    environment = kernels.under({"ATEN_CPU_CAPABILITY": "default"})
    assert "OPENBLAS_CORETYPE" not in environment
    assert (environment["ATEN_CPU_CAPABILITY"], environment["OTHER"]) == ("default", "kept")


@pytest.mark.sweep
def test_libraries_start_without_a_warning_under_each_setting() -> None:
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    for setting in kernels.settings(found).values():
        assert {"libm", "NumPy", "BLAS"} <= kernels.digits(setting).keys()
