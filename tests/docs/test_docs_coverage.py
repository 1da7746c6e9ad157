"""The page on coverage says what the engine's tables say today, and what it says in words is so."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.polynomial import chebyshev, polynomial
from pages import ROOT

from docs import coverage, proofs
from docs.coverage_page import hips, numpy_part, reasons
from docs.proofs_page import rows
from reference_engine import MissingRuleError, Tensor, grad
from reference_engine.dispatch import FUNCTIONS


def test_the_page_is_what_the_tables_say():
    text = coverage.PAGE.read_text(encoding="utf-8")
    written_for = re.search(r"Written\s+for (.*?)\.\n", text)[1]
    if written_for != coverage.versions():
        pytest.skip(f"the page is written for {written_for}, not for {coverage.versions()}")
    assert text == coverage.page(), "run python docs/coverage.py"


def test_the_page_of_proofs_is_what_is_proved():
    text = proofs.PAGE.read_text(encoding="utf-8")
    if f"{proofs.versions()}.\n" not in text:
        pytest.skip(f"the page is not written for {proofs.versions()}")
    # What the rows of the two databases say is held by `test_docs_proofs.py`.
    of_page = proofs.text(rows.rows_of(text, "torch"), rows.rows_of(text, "JAX"))
    assert text == of_page, "run python docs/proofs.py"


SCRIPTS = pytest.mark.parametrize("name", ["coverage", "torch_coverage"])


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["coverage", "torch_coverage", "verdicts", "jax_primitives", "proofs"])
def test_it_runs_as_a_script(name, tmp_path):
    script = [sys.executable, str(ROOT / f"docs/{name}.py")]
    done = subprocess.run([*script, "--verbose"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: python docs/{name}.py")


@SCRIPTS
def test_it_writes_and_compares(name, tmp_path, monkeypatch, capsys):
    script = importlib.import_module(f"docs.{name}")
    monkeypatch.setattr(script, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(script, "page", lambda: "# Title\n")
    assert script.main(["--check"]) == 1
    assert f"run python docs/{name}.py" in capsys.readouterr().err
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0
    script.PAGE.write_text("# Another\n", encoding="utf-8")
    assert script.main(["--check"]) == 1


def test_a_function_that_nobody_knows_is_noticed(monkeypatch):
    monkeypatch.setattr(np, "brand_new", lambda a: a, raising=False)
    with pytest.raises(ValueError, match="neither a rule nor a reason for: function of NumPy brand_new"):
        numpy_part.classified()


def test_a_rule_that_is_gone_is_noticed(monkeypatch):
    monkeypatch.delitem(FUNCTIONS, np.linalg.det)
    with pytest.raises(ValueError, match=r"function of NumPy linalg\.det"):
        numpy_part.classified()


def test_a_reason_that_is_out_of_date_is_noticed(monkeypatch):
    monkeypatch.setitem(reasons.NO_RULE, "sum", "too many terms")
    with pytest.raises(ValueError, match="a reason, but a rule or no such thing: function of NumPy sum"):
        numpy_part.classified()


def test_autograd_knows_nothing_that_the_page_leaves_out(monkeypatch):
    monkeypatch.setattr(hips, "differentiable", lambda: {"brand_new": print})
    with pytest.raises(ValueError, match="autograd knows what no table of the engine holds: brand_new"):
        coverage.page()


# ---------------------------------------------------------------------------- what is said in words


@pytest.mark.parametrize(
    "name", [name for name, kind in numpy_part.classified().items() if kind == "missing"]
)
def test_what_has_no_rule_is_refused(name):
    function = numpy_part.numpy_functions()[name]
    x = Tensor([1.5, 2.5], requires_grad=True)
    with pytest.raises(Exception):  # noqa: B017, PT011  # which one depends on who notices first
        function([[x]] if function is np.bmat else x)


@pytest.mark.parametrize("function", numpy_part.ROUNDED)
def test_what_is_constant_between_its_jumps_has_no_gradient(function):
    x = Tensor([[1.5, -0.2], [0.3, 0.7]], requires_grad=True)
    assert not function(x).requires_grad


REFUSED: dict[str, list[Any]] = {
    "cov": [lambda t: np.cov(Tensor([1.0, 2.0, 4.0]), fweights=np.stack([t, t, t]))],
    "linalg.qr": [lambda t: np.linalg.qr(t * np.eye(3)[:, :2], mode="complete").Q],
    "linalg.svd": [lambda t: np.linalg.svd(t * np.diag([1.0, 2.0, 3.0])[:, :2]).U],
    "pad": [
        lambda t: np.pad(Tensor([1.0]), 1, constant_values=t),
        lambda t: np.pad(t * np.ones(2), 1, mode="empty"),
        lambda t: np.pad(t * np.ones(2), 1, mode=lambda *args: None),
    ],
    "quantile": [
        lambda t: np.quantile(Tensor([1.0, 2.0]), t),
        lambda t: np.nanquantile(Tensor([1.0, 2.0]), t),
    ],
    "percentile": [lambda t: np.percentile(Tensor([1.0]), t), lambda t: np.nanpercentile(Tensor([1.0]), t)],
    "unwrap": [
        lambda t: np.unwrap(Tensor([1.0, 9.0]), discont=t),
        lambda t: np.unwrap(Tensor([1.0, 9.0]), period=t),
    ],
}


def test_every_argument_that_is_named_has_a_call_here():
    assert list(REFUSED) == list(reasons.ARGUMENTS)


@pytest.mark.parametrize(("name", "call"), [(name, call) for name in REFUSED for call in REFUSED[name]])
def test_arguments_without_a_derivative_are_refused(name, call):
    with pytest.raises((MissingRuleError, NotImplementedError), match=name.replace(".", r"\.")):
        grad(lambda t: np.sum(call(t)))(0.5)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda t: np.fft.fftfreq(4, t)[1], -1 / (4 * 0.3**2)),
        (lambda t: polynomial.polyval(t, [1.0, 2.0, 3.0]), 2 + 6 * 0.3),
        (lambda t: chebyshev.chebval(t, [1.0, 2.0, 3.0]), 2 + 12 * 0.3),
        (lambda t: np.poly1d([3.0, 2.0, 1.0])(t), 2 + 6 * 0.3),
        (lambda t: np.array([t, 2 * t], like=t)[1], 2.0),
    ],
)
def test_ways_round_that_are_named_have_a_derivative(function, slope):
    assert grad(function)(0.3) == pytest.approx(slope, rel=1e-12)
