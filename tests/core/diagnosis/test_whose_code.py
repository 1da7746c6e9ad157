"""Where the code is whose gradient is wrong."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from pytest_gradcheck import check_gradients
from pytest_gradcheck.core.diagnosis.whose_code import of_backwards, of_error, of_function
from pytest_gradcheck.core.results import HandWritten

FILE = Path(__file__).name


def gradient(x: Any, factor: float = 2.0) -> Any:
    return factor * x


def line_of(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


def test_a_function_has_its_line_inside_of_wrappers_too() -> None:
    wrapped = functools.wraps(gradient)(lambda x: gradient(x))
    for function in (gradient, functools.partial(gradient, factor=3.0), wrapped):
        assert of_function(function) == f"gradient ({FILE}:{line_of('def gradient')})"
    assert of_function(np.cos) == ""


def test_backwards_have_theirs() -> None:
    square = HandWritten("ops.Square", "/a/ops.py", 3, 12)
    assert of_backwards([square]) == "Square.backward (ops.py:12)"
    assert of_backwards([HandWritten("mine::square", "/a/ops.py", 3, 12)]) == "mine::square (ops.py:12)"
    assert of_backwards([HandWritten("ops.Made", None, None, None)]) == ""
    assert of_backwards([square] * 5).endswith("(ops.py:12), and 2 more")


def test_an_exception_is_placed_in_the_users_code() -> None:
    try:
        np.linalg.inv(np.zeros((2, 2)))  # raises
    except np.linalg.LinAlgError as error:
        place = of_error(error)
    here = "test_an_exception_is_placed_in_the_users_code"
    assert place == f"{here} ({FILE}:{line_of('# raises')})"


def test_the_result_has_it_for_a_failure_alone() -> None:
    x = np.array([0.3, 0.4])
    wrong = check_gradients(lambda x: np.sum(x**2), x, gradient=functools.partial(gradient, factor=3.0))
    assert wrong.code == f"gradient ({FILE}:{line_of('def gradient')})"
    assert f"\n  code:      {wrong.code}\n" in str(wrong)
    assert check_gradients(lambda x: np.sum(x**2), x, gradient=gradient).code == ""
    by_vjp = check_gradients(lambda x: np.sum(x**2), x, vjp=lambda x, u: 3 * u * x)
    assert by_vjp.code.startswith("<lambda> (")
