"""The engine stands on NumPy and the standard library alone."""

from __future__ import annotations

import subprocess
import sys

import reference_engine


def test_importing_it_imports_nothing_but_numpy():
    code = (
        "import sys, numpy; before = set(sys.modules); import reference_engine; "
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(out) - set(sys.stdlib_module_names) - {"numpy"} == {"reference_engine"}


def test_all_names_exist():
    assert sorted(reference_engine.__all__) == reference_engine.__all__
    for name in reference_engine.__all__:
        assert getattr(reference_engine, name).__doc__
