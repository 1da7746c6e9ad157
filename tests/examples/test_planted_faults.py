"""The examples with their faults switched on: each is caught, and called what it is."""

from __future__ import annotations

import json
import re

import pytest
from processes import ROOT, run_pytest

pytestmark = pytest.mark.kernels

#: By test, who is to be found wrong, and how.
OF_NUMPY = {
    "test_small_engine.py::test_rational": ("user", "wrong-values"),
    "test_heat_equation.py::test_misfit": ("user", "one-input"),
    "test_lasso.py::test_loss": ("user", "non-finite-gradient"),
    "test_lasso.py::test_a_weight_of_zero_is_a_kink": ("user", "non-finite-gradient"),
    "test_logistic_regression.py::test_loss": ("user", "one-input"),
}
OF_TORCH = {
    # At zero the first derivative is right, and half of the second one is missing.
    "test_custom_function.py::test_swish": ("torch", "constant-factor"),
    "test_custom_function.py::test_swish_in_float32": ("torch", "missing-term"),
    "test_layer_norm.py::test_layer_norm": ("torch", "missing-term"),
}


def found(expected, tmp_path, monkeypatch, *args):
    """By test that failed, the culprit and the code of its check."""
    monkeypatch.setenv("PLANT_FAULT", "1")
    path = tmp_path / "report.json"
    files = sorted({f"docs/examples/{name.partition('::')[0]}" for name in expected})
    status, output = run_pytest(*files, "-n", "0", f"--gradcheck-report={path}", *args)
    assert status == 1, output
    failed = re.findall(r"^(?:FAILED|ERROR) docs/examples/(\S+)", output, re.MULTILINE)
    checks = [c for c in json.loads(path.read_text(encoding="utf-8"))["checks"] if c["verdict"] == "fail"]
    caught = {c["nodeid"].rpartition("/")[2]: (c["culprit"], c["diagnosis"]["code"]) for c in checks}
    assert sorted(failed) == sorted(caught)
    return caught


def test_the_planted_faults_of_numpy_code_are_caught(tmp_path, monkeypatch):
    # To import torch takes longer than all the rest, which the sweep does.
    methods = "--gradcheck-methods=central,reference,user"
    assert found(OF_NUMPY, tmp_path, monkeypatch, methods) == OF_NUMPY


@pytest.mark.sweep
def test_every_planted_fault_is_caught(tmp_path, monkeypatch):
    assert found(OF_NUMPY | OF_TORCH, tmp_path, monkeypatch) == OF_NUMPY | OF_TORCH


def test_every_example_that_has_a_fault_says_what_it_is_and_is_tried_here():
    tried = {name.partition("::")[0] for name in OF_NUMPY | OF_TORCH}
    having = {}
    for path in (ROOT / "docs/examples").glob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if "PLANT_FAULT" in text:
            having[path.name] = text.split('"""')[1]
    assert having.keys() == tried
    assert all("PLANT_FAULT=1" in docstring for docstring in having.values())


def test_the_page_of_the_examples_names_what_is_found():
    page = (ROOT / "docs/tutorial/examples.md").read_text(encoding="utf-8")
    cells = [
        [cell.strip(" `") for cell in row.split("|")[1:-1]] for row in page.splitlines() if row[:3] == "| `"
    ]
    said = {(file, culprit, code) for file, _, _, culprit, code in cells}
    known = {(name.partition("::")[0], *what) for name, what in (OF_NUMPY | OF_TORCH).items()}
    assert {file for file, *_ in said} == {file for file, *_ in known}
    assert said <= known
