"""The page on what is proved: its rows are what is measured, and enough of them are proved."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("flint")
pytest.importorskip("torch")
pytest.importorskip("jax")
pytest.importorskip("expecttest", reason="torch's testing modules import it")

from docs import proofs  # after the skips
from docs.proofs_page import databases, rows  # the same
from reference_engine.definitions import PRIMITIVES  # the same

pytestmark = pytest.mark.kernels

PAGE = proofs.PAGE.read_text(encoding="utf-8")
TORCH, JAX = rows.rows_of(PAGE, "torch"), rows.rows_of(PAGE, "JAX")
WRITTEN_FOR = re.search(r"Written for (.*?)\.\n\n", PAGE)[1]  # type: ignore[index]  # the page says so
of_these_versions = pytest.mark.skipif(
    proofs.versions() != WRITTEN_FOR, reason=f"the page is written for {WRITTEN_FOR}"
)

#: What the issue of proofs asks for: this share of the operators that run on the engine.
SHARE = 0.8


@of_these_versions
@pytest.mark.filterwarnings("ignore")  # torch's samples exercise its own deprecations
@pytest.mark.parametrize("shown", TORCH[::20], ids=lambda row: row.name)
def test_an_operator_of_torch_shows_what_its_row_says(shown: rows.Shown) -> None:
    found = databases.row_of_torch(shown.name)
    assert found is not None
    assert rows.shown(found, "torch") == shown


# A row takes a second or some, most of it JAX's compiler's.
@pytest.mark.sweep
@of_these_versions
@pytest.mark.filterwarnings("ignore")  # the database exercises JAX's own deprecations
@pytest.mark.parametrize("shown", JAX[::10], ids=lambda row: row.name)
def test_a_primitive_of_jax_shows_what_its_row_says(shown: rows.Shown) -> None:
    found = databases.row_of_jax(shown.name)
    assert found is not None
    assert rows.shown(found, "JAX") == shown


@pytest.mark.sweep
@of_these_versions
@pytest.mark.filterwarnings("ignore")  # torch's samples exercise its own deprecations
def test_every_operator_of_torch_shows_what_its_row_says() -> None:
    """Rules of the engine and the lowering against proven values, over the whole table: ten seconds."""
    assert [rows.shown(row, "torch") for row in databases.of_torch()] == TORCH


@pytest.mark.parametrize(("found", "least"), [(TORCH, 500), (JAX, 90)], ids=["torch", "JAX"])
def test_most_operators_on_the_engine_are_proved(found: list[rows.Shown], least: int) -> None:
    on = [row for row in found if row.entries != "-"]
    assert len(on) >= least
    assert sum(row.proved == "yes" for row in on) >= SHARE * len(on)
    assert [row.name for row in found] == sorted(row.name for row in found)
    # A row without a proof says why, and so does one that differs.
    assert all(row.why for row in found if row.proved == "no" or row.framework == "differs")
    assert {row.engine for row in found} <= {"agrees", ""}


def test_what_differs_is_what_is_explained() -> None:
    for framework, found in (("torch", TORCH), ("JAX", JAX)):
        assert {row.name for row in found if row.framework == "differs"} == set(rows.EXPLAINED[framework])


def wrong(**changes: object) -> databases.Row:
    return databases.Row("sin", 3, 192, 0.1, 0.0, "")._replace(**changes)  # type: ignore[arg-type]  # floats


@pytest.mark.parametrize(
    "row", [wrong(off=1.5), wrong(apart=1e-6), wrong(name="as_strided_scatter", apart=0.0)], ids=str
)
def test_a_disagreement_without_a_reason_writes_no_page(row: databases.Row) -> None:
    assert rows.shown(wrong(), "torch").engine == "agrees"
    with pytest.raises(ValueError, match=row.name):
        rows.shown(row, "torch")


def test_the_sweep_sees_a_wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    right = databases.row_of_torch("sin")
    assert right is not None
    assert right.off <= 1
    # Off by less than differences see.
    monkeypatch.setattr(PRIMITIVES["sin"], "rules", (lambda c, result, x: c * np.cos(x) * (1 + 1e-12),))
    found = databases.row_of_torch("sin")
    assert found is not None
    assert found.off > 100
