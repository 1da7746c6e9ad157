"""Derivatives by hand next to the checkers that scientists use: what is found, calls of the function, time.

    python -m tests.benchmarks.scientists            # printed
    python -m tests.benchmarks.scientists --write    # put into docs/benchmarks_scientists.md
    python -m tests.benchmarks.scientists --quick    # the smallest sizes alone

Every function is opaque: a checker sees its values and nothing of its code, as with a compiled simulation.
A checker that is not installed is left out (pip install openmdao pylops; the extra `bench` has the others).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
from scipy.sparse.linalg import LinearOperator

from pytest_gradcheck import check_gradients
from tests.benchmarks import timing
from tests.benchmarks.tables import Table, circumstances, figures

PACKAGES = ("numpy", "scipy", "numdifftools", "openmdao", "autograd", "pylops")
PAGE = Path(__file__).parents[2] / "docs/benchmarks_scientists.md"

Array = Any

#: Two derivatives agree within this share of the largest entry, where a checker only returns a number.
ENOUGH = 1e-5


class Counted:
    """A function that reads its numbers, so nothing sees into it, and counts its calls."""

    def __init__(self, function: Callable[[Array], Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, x: Array, *args: Any) -> Any:
        """The value at plain numbers."""
        self.calls += 1
        return self.function(np.array([float(number) for number in x]))


class Case(NamedTuple):
    """A function, its derivative in one form, and a point."""

    function: Callable[[Array], Any]
    derivative: Callable[[Array], Array]
    at: Array
    gradient: Callable[[Array], Array] | None = None


class Checked(NamedTuple):
    """What a checker says of one derivative: whether it is right, None where it could not tell."""

    right: bool | None
    calls: int


Checker = Callable[[Case], Checked]

# -- the functions -------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)


def _logistic(n: int) -> Case:
    features, labels = RNG.normal(size=(3 * n, n)), RNG.integers(0, 2, 3 * n)

    def loss(w: Array) -> Any:
        scores = features @ w
        return np.sum(np.logaddexp(0, scores) - labels * scores)

    return Case(loss, lambda w: features.T @ (1 / (1 + np.exp(-features @ w)) - labels), RNG.normal(size=n))


def _logistic_hessian(n: int) -> Case:
    features = RNG.normal(size=(3 * n, n))

    def loss(w: Array) -> Any:
        return np.sum(np.logaddexp(0, features @ w))

    def hessian(w: Array) -> Array:
        p = 1 / (1 + np.exp(-features @ w))
        return features.T * (p * (1 - p)) @ features

    def gradient(w: Array) -> Array:
        return features.T @ (1 / (1 + np.exp(-features @ w)))

    return Case(loss, hessian, RNG.normal(size=n), gradient)


def _decay(rows: int) -> Case:
    times = np.linspace(0, 3, rows)

    def jacobian(p: Array) -> Array:
        falling = np.exp(-p[1] * times)
        return np.stack([falling, -p[0] * times * falling, np.ones(rows)], axis=1)

    return Case(lambda p: p[0] * np.exp(-p[1] * times) + p[2], jacobian, np.array([4.0, 1.1, 0.7]))


def _broyden(n: int) -> Case:
    """Broyden's tridiagonal system (Moré, Garbow and Hillstrom 1981, problem 30)."""

    def function(x: Array) -> Array:
        padded = np.concatenate([[0.0], x, [0.0]])
        return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1

    def jacobian(x: Array) -> Array:
        return np.diag(3 - 4 * x) - np.diag(np.ones(n - 1), -1) - 2 * np.diag(np.ones(n - 1), 1)

    return Case(function, jacobian, RNG.normal(size=n))


def _rosen(n: int) -> Case:
    return Case(scipy.optimize.rosen, scipy.optimize.rosen_der, RNG.normal(size=n))


def _rosen_hessian(n: int) -> Case:
    at = RNG.normal(size=n)
    return Case(scipy.optimize.rosen, scipy.optimize.rosen_hess, at, scipy.optimize.rosen_der)


def _rounded(case: Case, digits: int) -> Case:
    """Values as a solver gives them that stops after so many digits."""
    return case._replace(function=lambda x: float(f"{case.function(x):.{digits - 1}e}"))


def _scaled(case: Case, inputs: float, output: float) -> Case:
    """The same in other units."""
    return Case(
        lambda x: output * case.function(x / inputs),
        lambda x: output / inputs * case.derivative(x / inputs),
        inputs * case.at,
    )


def hard_gradients() -> dict[str, Case]:
    """The same function in other units, and with fewer digits."""
    case = _logistic(5)
    return {
        "output × 1e-9": _scaled(case, 1.0, 1e-9),
        "output × 1e9": _scaled(case, 1.0, 1e9),
        "inputs × 1e-6": _scaled(case, 1e-6, 1.0),
        "inputs × 1e6": _scaled(case, 1e6, 1.0),
        "values of 10 digits": _rounded(case, 10),
        "values of 7 digits": _rounded(case, 7),
    }


def gradients(quick: bool) -> dict[str, Case]:
    """Scalar functions of vectors."""
    small = {"Rosenbrock, 5": _rosen(5), "logistic loss, 5": _logistic(5)}
    large = {"Rosenbrock, 100": _rosen(100), "logistic loss, 100": _logistic(100)}
    return small if quick else small | large


def jacobians(quick: bool) -> dict[str, Case]:
    """Vector functions of vectors."""
    small = {"decay, 30 × 3": _decay(30), "Broyden, 8 × 8": _broyden(8)}
    return small if quick else small | {"Broyden, 100 × 100": _broyden(100)}


def hessians(quick: bool) -> dict[str, Case]:
    """Scalar functions whose second derivative is given."""
    small = {"Rosenbrock, 4 × 4": _rosen_hessian(4)}
    return small if quick else small | {"logistic loss, 12 × 12": _logistic_hessian(12)}


# -- the faults ----------------------------------------------------------------------------------------


def _one_entry(matrix: Array) -> Array:
    out = np.array(matrix)
    largest = np.unravel_index(np.argmax(np.abs(out)), out.shape)
    out[largest] *= 1.01
    return out


def _last_row(matrix: Array) -> Array:
    out = np.array(matrix)
    out[-1] = 0.0
    return out


FAULTS: dict[str, Callable[[Array], Array]] = {
    "sign": lambda g: -g,
    "twice": lambda g: 2 * g,
    "1 % too large": lambda g: 1.01 * g,
    "one entry 1 % off": _one_entry,
    "last row zero": _last_row,
    "rows rolled": lambda g: np.roll(g, 1, axis=0),
}
OF_MATRICES: dict[str, Callable[[Array], Array]] = FAULTS | {
    "transposed": lambda g: np.ascontiguousarray(g.T) if g.shape[0] == g.shape[1] else np.roll(g, 1, axis=1),
}

# -- the checkers --------------------------------------------------------------------------------------


def _ours(form: str, gradient: bool = False) -> Checker:
    def check(case: Case) -> Checked:
        function = Counted(case.function)
        forms = {form: case.derivative} | ({"gradient": case.gradient} if gradient else {})
        result = check_gradients(function, case.at, **forms)
        return Checked({"pass": True, "fail": False}.get(result.verdict), function.calls)

    return check


def _near(found: Array, given: Array) -> bool:
    return bool(np.max(np.abs(found - given)) <= ENOUGH * np.max(np.abs(found)))


def _check_grad(case: Case) -> Checked:
    function = Counted(case.function)
    error = scipy.optimize.check_grad(function, case.derivative, case.at)
    return Checked(bool(error <= ENOUGH * np.linalg.norm(case.derivative(case.at))), function.calls)


def _approx_fprime(case: Case) -> Checked:
    function = Counted(case.function)
    found = scipy.optimize.approx_fprime(case.at, function)
    return Checked(_near(found, case.derivative(case.at)), function.calls)


def _numdifftools(kind: str) -> Checker:
    numdifftools = importlib.import_module("numdifftools")

    def check(case: Case) -> Checked:
        function = Counted(case.function)
        found = getattr(numdifftools, kind)(function)(case.at)
        return Checked(_near(found, case.derivative(case.at)), function.calls)

    return check


def _openmdao() -> Checker:
    api = importlib.import_module("openmdao.api")
    utils = importlib.import_module("openmdao.utils.assert_utils")

    class Component(api.ExplicitComponent):  # type: ignore[misc, name-defined]  # OpenMDAO has no types
        case: Case
        function: Counted

        def setup(self) -> None:
            self.add_input("x", val=self.case.at)
            self.add_output("y", val=np.atleast_1d(self.case.function(self.case.at)))
            self.declare_partials("y", "x")

        def compute(self, inputs: Any, outputs: Any) -> None:
            outputs["y"] = self.function(inputs["x"])

        def compute_partials(self, inputs: Any, partials: Any) -> None:
            partials["y", "x"] = np.atleast_2d(self.case.derivative(inputs["x"]))

    def check(case: Case) -> Checked:
        problem = api.Problem(reports=False)
        component = Component()
        component.case, component.function = case, Counted(case.function)
        problem.model.add_subsystem("c", component)
        problem.setup()
        problem.run_model()
        # In its documentation's form: central differences, and an assertion of relative and absolute errors.
        data = problem.check_partials(method="fd", form="central", out_stream=None)
        try:
            utils.assert_check_partials(data, atol=ENOUGH, rtol=ENOUGH)
        except ValueError:
            return Checked(False, component.function.calls)
        return Checked(True, component.function.calls)

    return check


def _autograd() -> Checker:
    extend = importlib.import_module("autograd.extend")
    test_util = importlib.import_module("autograd.test_util")

    def check(case: Case) -> Checked:
        function = Counted(case.function)
        primitive = extend.primitive(function)
        extend.defvjp(primitive, lambda _, x: lambda u: np.asarray(u) @ np.asarray(case.derivative(x)))
        if np.ndim(case.derivative(case.at)) == 1:
            extend.defvjp(primitive, lambda _, x: lambda u: u * case.derivative(x))
        try:
            test_util.check_grads(primitive, modes=["rev"], order=1)(case.at)
        except AssertionError:
            return Checked(False, function.calls)
        return Checked(True, function.calls)

    return check


def _installed(checkers: Mapping[str, Callable[[], Checker]]) -> dict[str, Checker]:
    found = {}
    for name, make in checkers.items():
        with contextlib.suppress(ImportError):
            found[name] = make()
    return found


def of_gradients() -> dict[str, Checker]:
    """What checks a gradient."""
    return _installed(
        {
            "pytest-gradcheck": lambda: _ours("gradient"),
            "scipy check_grad": lambda: _check_grad,
            "autograd check_grads": _autograd,
            "OpenMDAO check_partials": _openmdao,
            "numdifftools": lambda: _numdifftools("Gradient"),
        }
    )


def of_jacobians() -> dict[str, Checker]:
    """What checks a Jacobian."""
    return _installed(
        {
            "pytest-gradcheck": lambda: _ours("jacobian"),
            "scipy approx_fprime": lambda: _approx_fprime,
            "autograd check_grads": _autograd,
            "OpenMDAO check_partials": _openmdao,
            "numdifftools": lambda: _numdifftools("Jacobian"),
        }
    )


def of_hessians() -> dict[str, Checker]:
    """What checks a Hessian."""
    return _installed(
        {
            "pytest-gradcheck": lambda: _ours("hessian"),
            "pytest-gradcheck, with its gradient": lambda: _ours("hessian", gradient=True),
            "numdifftools": lambda: _numdifftools("Hessian"),
        }
    )


# -- operators -----------------------------------------------------------------------------------------


class Counting:
    """An operator as a pair of functions, with the calls of both."""

    def __init__(self, matrix: Array, adjoint: Array) -> None:
        self.matrix, self.adjoint, self.calls = matrix, adjoint, 0

    def matvec(self, x: Array) -> Array:
        """The product."""
        self.calls += 1
        return self.matrix @ x

    def rmatvec(self, y: Array) -> Array:
        """What is on trial."""
        self.calls += 1
        return self.adjoint @ y

    def operator(self) -> LinearOperator:
        """The same for SciPy and pylops."""
        return LinearOperator(self.matrix.shape, self.matvec, self.rmatvec, dtype=self.matrix.dtype)


def operators() -> dict[str, Array]:
    """Matrices, real and complex."""
    differences = np.eye(40) - np.eye(40, k=-1)
    random = RNG.normal(size=(30, 20))
    return {
        "differences, 40 × 40": differences,
        "random, 30 × 20": random,
        "complex, 30 × 20": random + 1j * RNG.normal(size=(30, 20)),
    }


OF_ADJOINTS: dict[str, Callable[[Array], Array]] = {
    "sign": lambda a: -a,
    "1 % too large": lambda a: 1.01 * a,
    "one entry 1 % off": _one_entry,
    "rows rolled": lambda a: np.roll(a, 1, axis=0),
    "one entry 1e-4 off": lambda a: _one_entry(a) * 0.01 + a * 0.99,
    "not conjugated": lambda a: a.conj() if np.iscomplexobj(a) else -a,
}


def _ours_on(matrix: Array, adjoint: Array) -> Checked:
    counting = Counting(matrix, adjoint)
    point = np.ones(matrix.shape[1], matrix.dtype)
    result = check_gradients(counting, point)
    return Checked({"pass": True, "fail": False}.get(result.verdict), counting.calls)


def _dottest() -> Callable[[Array, Array], Checked]:
    pylops = importlib.import_module("pylops")
    utils = importlib.import_module("pylops.utils")

    def check(matrix: Array, adjoint: Array) -> Checked:
        counting = Counting(matrix, adjoint)
        operator = pylops.LinearOperator(counting.operator())
        flag = 3 if np.iscomplexobj(matrix) else 0
        right = utils.dottest(operator, *matrix.shape, complexflag=flag, raiseerror=False, verb=False)
        return Checked(bool(right), counting.calls)

    return check


# -- the tables ----------------------------------------------------------------------------------------


def _broken(case: Case, fault: Callable[[Array], Array]) -> Case:
    return case._replace(derivative=lambda x: fault(case.derivative(x)))


def _row(name: str, found: list[Checked], wrong: list[Checked], seconds: float) -> list[str]:
    accepted = sum(each.right is True for each in found)
    caught = sum(each.right is False for each in wrong)
    return [
        name,
        f"{accepted} of {len(found)}",
        f"{caught} of {len(wrong)}",
        f"{np.mean([each.calls for each in found]):.0f}",
        f"{np.mean([each.calls for each in wrong]):.0f}",
        figures(1e3 * seconds)[0],
    ]


COLUMNS = ("", "right ones passed", "wrong ones found", "calls, right", "calls, wrong", "ms, right")


def table(
    title: str,
    text: str,
    cases: Mapping[str, Case],
    checkers: Mapping[str, Checker],
    faults: Mapping[str, Callable[[Array], Array]],
    rounds: int,
) -> Iterator[Table]:
    """One table for each case: every checker on the right derivative and on each fault."""
    for name, case in cases.items():
        runs = {who: functools.partial(check, case) for who, check in checkers.items()}
        seconds = timing.best(runs, rounds)
        rows = []
        for who, check in checkers.items():
            wrong = [check(_broken(case, fault)) for fault in faults.values()]
            rows.append(_row(who, [check(case)], wrong, seconds[who]))
        yield Table(f"{title}: {name}", text, COLUMNS, rows)


def hard_tables() -> Iterator[Table]:
    """Every checker on the same gradient under each condition."""
    cases = hard_gradients()
    rows = []
    for who, check in of_gradients().items():
        cells = []
        for case in cases.values():
            right = {True: "passes", False: "**fails**", None: "in doubt"}[check(case).right]
            caught = sum(check(_broken(case, fault)).right is False for fault in FAULTS.values())
            cells.append(f"{right}, {caught} of {len(FAULTS)}")
        rows.append([who, *cells])
    text = (
        "The gradient of the logistic loss of five parameters: whether the right one passes, and how many of "
        f"the six faults are found: {', '.join(FAULTS)}."
    )
    yield Table("A gradient in other units and with fewer digits", text, ("", *cases), rows)


def operator_tables(rounds: int) -> Iterator[Table]:
    """The dot-product test next to that of pylops."""
    checkers = {"pytest-gradcheck": _ours_on}
    with contextlib.suppress(ImportError):
        checkers["pylops dottest"] = _dottest()
    for name, matrix in operators().items():
        adjoint = matrix.conj().T
        runs = {who: functools.partial(check, matrix, adjoint) for who, check in checkers.items()}
        seconds = timing.best(runs, rounds)
        rows = []
        for who, check in checkers.items():
            wrong = [check(matrix, fault(adjoint)) for fault in OF_ADJOINTS.values()]
            rows.append(_row(who, [check(matrix, adjoint)], wrong, seconds[who]))
        yield Table(
            f"A linear operator: {name}",
            "Calls are those of the operator and of its adjoint together. Ours also tests that the operator "
            "is linear.",
            COLUMNS,
            rows,
        )


def tables(quick: bool) -> Iterator[Table]:
    """All of them."""
    rounds = 1 if quick else 3
    yield from table(
        "A gradient",
        f"Six faults: {', '.join(FAULTS)}.",
        gradients(quick),
        of_gradients(),
        FAULTS,
        rounds,
    )
    yield from hard_tables()
    yield from table(
        "A Jacobian",
        f"Seven faults: {', '.join(OF_MATRICES)} (or columns rolled, if it is not square).",
        jacobians(quick),
        of_jacobians(),
        # A symmetric matrix is its own transpose.
        OF_MATRICES,
        rounds,
    )
    yield from table(
        "A Hessian",
        f"Six faults: {', '.join(FAULTS)}. No gradient is given.",
        hessians(quick),
        of_hessians(),
        FAULTS,
        rounds,
    )
    yield from operator_tables(rounds)


HEAD = """<!-- Written by tests/benchmarks/scientists.py, with --write -->

# Benchmarks: checkers that scientists use

Derivatives written by hand for `scipy.optimize`, least squares, likelihoods and inverse problems, under the
checkers that are made for them. All functions are opaque: a checker has their values alone. So the reference
engine takes no part here.

- *calls* are evaluations of the function: on average for a right derivative, and for a wrong one.
- *right ones passed* and *wrong ones found* count verdicts. SciPy and numdifftools return numbers: there a
  derivative counts as right if it is within 1e-5 of the largest entry. The checks of OpenMDAO and of autograd
  have tolerances.
- Calls for a gradient or a Jacobian do not grow with the number of inputs here: two lines through the point
  are looked at first, and a wrong entry is found by halving. On few inputs `check_grad` takes fewer: one per
  input, and one more. It has no error bars. A failure takes more calls here than with the others, since the
  wrong entry is named and looked at twice.
- `pylops.utils.dottest` takes one product with the operator and one with its adjoint.

```sh
pip install -c constraints.txt -e '.[bench]' openmdao pylops
python -m tests.benchmarks.scientists --write
```

## Results

"""


def main(arguments: list[str]) -> None:
    """Run the tables, print them, and write them where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scientists", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest sizes")
    parser.add_argument("--write", action="store_true", help=f"put what was found into {PAGE.name}")
    given = parser.parse_args(arguments)
    said = circumstances("python -m tests.benchmarks.scientists", PACKAGES)
    section = []
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for each in tables(given.quick):
            section.append(each.markdown())
            print(each.plain(), flush=True)
    if given.write:
        PAGE.write_text(f"{HEAD}{said}\n\n" + "\n".join(section).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
