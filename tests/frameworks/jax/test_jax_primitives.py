"""JAX's own database of primitives: on the engine, right ones not flagged, broken ones not passed.

What a primitive is to show stands in its row of docs/reference/jax_primitives.md.
"""

import contextlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from docs import jax_primitives
from docs.jax_page import reasons, rows, sweep
from pytest_gradcheck.frameworks.jax.lowering.rules import RULES
from tests.without_proofs import hidden

PAGE = jax_primitives.PAGE.read_text(encoding="utf-8")
ROWS = {row.name: row for row in rows.rows_of(PAGE)}
PARTS = [times.part for times in rows.times_of(PAGE)]
WRITTEN_FOR = re.search(r"Written for JAX\s+(.*?)\.\n", PAGE)[1]
of_this_version = pytest.mark.skipif(
    jax_primitives.jax_version() != WRITTEN_FOR, reason=f"the page is written for JAX {WRITTEN_FOR}"
)
OURS = [k for k, _ in enumerate((dtype, checker) for dtype in sweep.DTYPES for checker in sweep.CHECKERS)][
    ::2
]


@pytest.fixture(autouse=True)
def without_proofs():
    """Measure as the page was: few readers have python-flint."""
    with hidden():
        yield


# A row takes some ten seconds, most of them JAX's compiler's: the script that writes the page measures all.
@pytest.mark.sweep
@of_this_version
@pytest.mark.filterwarnings("ignore")  # the database exercises JAX's own deprecations
@pytest.mark.parametrize("name", list(ROWS)[::10])
def test_a_primitive_shows_what_its_row_says(name):
    found, _ = rows.measured(name)
    assert found is not None
    assert found._replace(letters=ROWS[name].letters) == ROWS[name]
    assert [found.letters[k] for k in OURS] == [ROWS[name].letters[k] for k in OURS]


def test_the_page_follows_from_its_rows():
    assert rows.page(list(ROWS.values()), rows.times_of(PAGE), WRITTEN_FOR) == PAGE
    assert list(ROWS) == sorted(ROWS)


def test_nearly_every_primitive_runs_on_the_engine():
    on = [row for row in ROWS.values() if row.harnesses]
    assert sum(row.engine > 0 for row in on) >= 0.95 * len(on)


def test_no_right_rule_fails_and_no_broken_one_passes():
    for row in ROWS.values():
        for dtype, k in zip(sweep.DTYPES, OURS, strict=True):
            letters = row.letters[k]
            if rows.judged(row, dtype):
                assert letters[:1] != "f", row
                assert letters[:1] != "p" or "p" not in letters[1:], row
            else:
                assert letters[:1] != "p", row


def test_few_are_inconclusive():
    letters = [row.letters[k] for row in ROWS.values() for k in OURS if row.letters[k]]
    assert sum(each[0] == "i" for each in letters) <= 0.02 * len(letters)


def test_what_is_unusual_has_a_reason():
    unusual = {name for name, row in ROWS.items() if rows.unusual(row)}
    assert unusual == reasons.REASONS.keys() & ROWS.keys()


@pytest.mark.sweep
@of_this_version
def test_every_primitive_with_a_derivative_has_a_row():
    """Those without one: no numbers that have a derivative, or one that JAX refuses."""
    assert list(range(sweep.PARTS)) == PARTS
    names = set(sweep.PRIMITIVES) - ROWS.keys()
    with jax.enable_x64(True):
        for harness in (h for name in names for h in sweep._harnesses()[name]):
            if harness.dtype == np.float64 and harness.filter("cpu"):
                with contextlib.suppress(NotImplementedError, ValueError):
                    assert sweep._small(harness) is None, harness.fullname


def _slope(function, x, direction=1.0):
    """A difference of a function of one number, along a direction."""
    step = 1e-6 * direction
    return (function(x + step) - function(x - step)) / 2e-6


@pytest.mark.parametrize("name", reasons.OTHERWISE)
def test_what_jax_differentiates_otherwise(name):
    """JAX's derivative is not the function's, as the page says: seen again for those that can be."""
    with jax.enable_x64(True):
        if name in ("acosh", "sign"):
            function, z = getattr(jax.lax, name), -1.2 + 0.7j
            theirs = jax.jvp(function, (jnp.asarray(z),), (jnp.asarray(1.0 + 0.0j),))[1]
            assert abs(theirs - _slope(function, jnp.asarray(z))) > 0.1
        elif name in ("digamma", "lgamma"):
            x = -7.658969447502236
            theirs = jax.grad(jax.lax.digamma)(x)
            assert 1e-6 < abs(theirs / _slope(scipy.special.digamma, x) - 1) < 1e-5
        elif name in ("stop_gradient", "bitcast_convert_type"):
            function = getattr(jax.lax, name)
            options = (np.float64,) if name == "bitcast_convert_type" else ()
            assert jax.grad(lambda x: function(x, *options))(2.0) == 0


def test_a_wrong_rule_of_the_engine_is_found(monkeypatch):
    sine = RULES["sin"]
    monkeypatch.setitem(RULES, "sin", lambda params, x: sine(params, x) * (1 + 1e-6))
    assert sweep.on_engine("sin").first == 0


def test_a_primitive_without_a_rule_is_found(monkeypatch):
    monkeypatch.delitem(RULES, "sin")
    found = sweep.on_engine("sin")
    assert (found.runs, found.harnesses) == (0, 2)


def test_faults_are_what_they_are_called():
    right = [np.array([1.0, 3.0, 2.0, 0.5]), np.array([1.0, 1.0])]
    flat = np.concatenate(right)
    found = {name: fault(flat) for name, fault in sweep._faults(right).items()}
    assert list(found)[1:] == list(sweep.FAULTS)
    assert found["right"].tolist() == flat.tolist()
    assert found["sign"].tolist() == (-flat).tolist()
    assert found["largest entry zeroed"].tolist() == [1, 0, 2, 0.5, 1, 1]
    assert found["one entry +1 % of the largest"].tolist() == [1, 3, 2, 0.53, 1, 1]
    assert found["reversed"].tolist() == [0.5, 2, 3, 1, 1, 1]
    assert found["second input dropped"].tolist() == [1, 3, 2, 0.5, 0, 0]


@pytest.mark.parametrize(("arguments", "status"), [(["--verbose"], 2), (["99"], 2)])
def test_wrong_arguments_of_the_script(arguments, status, capsys):
    assert jax_primitives.main(arguments) == status
    assert "usage: python docs/jax_primitives.py" in capsys.readouterr().err
