"""torch's own database of operators: value, first and second derivative on the engine are torch's.

What an operator is to show stands in its row of docs/reference/torch_coverage.md, exceptions with reasons in
docs/coverage_page/torch_reasons.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="torch's testing modules import it")

from docs import torch_coverage  # noqa: E402  # after the skips
from docs.coverage_page import torch_part, torch_reasons, torch_sweep  # noqa: E402  # the same
from pytest_gradcheck.frameworks.torch.lowering import registry  # noqa: E402  # the same

PAGE = torch_coverage.PAGE.read_text(encoding="utf-8")
ROWS = {row.name: row for row in torch_part.rows_of(PAGE)}
WRITTEN_FOR = re.search(r"Written for torch\s+(.*?)\.\n", PAGE)[1]  # type: ignore[index]  # the page says so
of_this_version = pytest.mark.skipif(
    torch_coverage.torch_version() != WRITTEN_FOR, reason=f"the page is written for torch {WRITTEN_FOR}"
)


@pytest.mark.sweep
@of_this_version
@pytest.mark.filterwarnings("ignore")  # torch's samples exercise its own deprecations
@pytest.mark.parametrize("name", sorted(torch_sweep.OPERATORS))
def test_an_operator_shows_what_its_row_says(name: str) -> None:
    # With the next test this is: the page is what the script would write.
    assert torch_part.Row.of(name, torch_part.measured(name)) == ROWS[name]


@of_this_version
def test_the_page_follows_from_its_rows() -> None:
    assert torch_part.page(list(ROWS.values()), WRITTEN_FOR) == PAGE
    assert list(ROWS) == sorted(torch_sweep.OPERATORS)


def test_nearly_every_differentiable_operator_runs() -> None:
    deterministic = [row for row in ROWS.values() if row.first and not row.random]
    assert len(deterministic) > 450
    assert sum("runs" not in row.found for row in deterministic) >= 0.95 * len(deterministic)


def test_what_is_excepted_is_seen() -> None:
    assert {name for name, row in ROWS.items() if row.found} == set(torch_reasons.KNOWN)
    assert all(known.stages == ROWS[name].found.keys() for name, known in torch_reasons.KNOWN.items())


# ---------------------------------------------------------------------- the sweep itself


@pytest.fixture
def with_rule(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], set[str]]]:
    """What the sweep finds of the sine when it has another rule."""

    def stages(rule: Any) -> set[str]:
        monkeypatch.setitem(registry._rules, "sin", registry.Entry(rule))
        registry._found.clear()
        return torch_sweep.outcome("sin").stages()

    registry.names()  # loads the table
    yield stages
    registry._found.clear()


def test_a_wrong_value_is_found(with_rule: Any) -> None:
    assert with_rule(np.sin) == set()
    assert "value" in with_rule(lambda x: np.sin(x) * (1 + 1e-8))


def test_a_wrong_derivative_is_found(with_rule: Any) -> None:
    found = with_rule(lambda x: np.sin(x) + 1e-8 * (x - getattr(x, "data", x)))
    assert "first" in found
    assert "value" not in found
    with pytest.raises(ValueError, match=r"sin, sample 0, first: .*not in torch_reasons"):
        torch_part.measured("sin")


def test_a_wrong_second_derivative_is_found(with_rule: Any) -> None:
    assert with_rule(lambda x: np.sin(x) + 1e-8 * (x - getattr(x, "data", x)) ** 2) == {"second"}


def test_a_rule_that_is_missing_is_found(with_rule: Any) -> None:
    def none(x: Any) -> Any:
        raise NotImplementedError

    assert with_rule(none) == {"runs"}


def test_an_exception_that_is_out_of_date_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(torch_reasons.KNOWN, "sin", torch_reasons.KNOWN["to_sparse"])
    with pytest.raises(ValueError, match=r"sin: torch_reasons\.KNOWN has \{'runs'\}, but seen was set\(\)"):
        torch_part.measured("sin")
