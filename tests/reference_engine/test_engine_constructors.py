"""NumPy's constructors on lists of Tensors: for the time of a call, and never longer."""

from __future__ import annotations

import pickle
import threading
import types

import numpy as np
import pytest

from reference_engine import OutOfGraphError, Tensor, grad, jacobian
from reference_engine.constructors import Seen, seen_by

X = np.array([0.3, -0.7, 1.1])

#: A function of a module that has NumPy under several names, by what it uses.
CALLS = {
    "array": "np.array([x[0] * x[1], np.sin(x[1]), 2.0])",
    "array of arrays": "np.array([x, 2 * x, [1.0, x[0], 3]])",
    "array of one": "np.array(x) * x",
    "nested": "np.array([[x[0], 1], [0.0, x[1] ** 2]])",
    "another name": "numpy.array([x[0], x[1]])",
    "from numpy import": "array([x[0], x[1]]) * sin([x[1], 1.0])",
    "dtype": "np.asarray(x, dtype=float) * np.array([x[0], 2, 3], dtype=float)",
    "asarray": "np.asarray([xi**2 for xi in x])",
    "asanyarray": "np.asanyarray((x[0], x[1]))",
    "ascontiguousarray": "np.ascontiguousarray(x) ** 2",
    "r_": "np.r_[x[0], x[1:] ** 2, 1.0, [x[2], 0.0], 0:3]",
    "r_ of rows": "np.r_[np.array([x]), np.array([x]) ** 2]",
    "c_": "np.c_[x, x**2, [1.0, 2.0, x[0]]]",
    "concatenate": "np.concatenate([[x[0]], x**2])",
    "concatenate of lists": "np.concatenate([[x[0], 1.0], [x[1]]])",
    "hstack": "np.hstack([x[0], [x[1], 3.0]])",
    "vstack": "np.vstack((x, [x[0], 1.0, 2.0]))",
    "column_stack": "np.column_stack([x, [x[0], 1, 2]])",
    "stack": "np.stack([1.0, x[0] ** 2])",
    "stack of lists": "np.stack([[x[0], 1.0], [2.0, x[1]]])",
    "block": "np.block([[x[0], 1.0], [2.0, x[1]]])",
    "select": "np.select([x > 0, x < 0], [x**2, [x[0], 1.0, x[2]]])",
    "written": "filled(x)",
    "written into ones": "updated(np.ones(3), x)",
    "written into data": "updated(np.array([1.0, 2.0, 3.0]), x)",
    "written into a copy": "updated(np.copy(DATA), x)",
    "written into a likeness": "updated(np.zeros_like(DATA), x)",
    "full": "np.full((2, 2), x[0]) * np.full_like(DATA, x[1])[0]",
    "fromiter": "np.fromiter((2 * v for v in x), float)",
    "exp": "np.exp([x[0], x[1]])",
    "sum": "np.sum([x[0] * x[1], x[2]])",
    "maximum": "np.maximum([x[0], x[1]], 0.1)",
    "reduce": "np.add.reduce([x[0] ** 2, x[1]])",
    "dot": "np.dot([x[0], x[1]], [1.0, 2.0])",
    "norm": "np.linalg.norm([x[0], x[1]])",
    "solve": "linalg.solve([[2.0 + x[0], 1.0], [x[1], 3.0]], [x[2], 1.0])",
    "fft": "np.real(np.fft.fft([x[0], x[1], 2.0]))",
    "operators": "x * [x[0], 2.0, x[1]] + (x[0], 0.0, 1.0) - 1.0 / np.asarray([x[0], 2.0, 3.0])",
    "diag": "np.diag([x[0], x[1]])",
}
MODULE = """
import numpy
import numpy as np
from numpy import array, linalg, sin

DATA = np.array([1.0, 2.0, 3.0])

def filled(x):
    out = np.zeros(x.shape)
    for i in range(3):
        out[i] = x[i] ** 2
    out[1] += x[0]
    return out

def updated(memory, x):
    memory[1] = x[0] ** 2
    return memory * x

def function(x):
    return {}
"""


def module(body: str = "None", more: str = "") -> types.ModuleType:
    made = types.ModuleType("someones_module")
    exec(MODULE.format(body) + more, vars(made))  # what an import does
    return made


def seen() -> Seen:
    return Seen(
        lambda e: isinstance(e, OutOfGraphError) or isinstance(e.__cause__, OutOfGraphError), ["pytest"]
    )


def differences(f, x, step=1e-6):
    return np.stack([(np.asarray(f(x + d)) - f(x - d)) / (2 * step) for d in step * np.eye(x.size)], axis=-1)


@pytest.mark.parametrize("body", CALLS.values(), ids=CALLS)
def test_the_derivative_is_that_of_differences(body):
    made = module(body)
    before = dict(vars(made))
    calls = seen()
    found = jacobian(lambda x: calls.run(x, lambda: made.function(x)))(X)
    np.testing.assert_allclose(found, differences(made.function, X), rtol=1e-7, atol=1e-8)
    after = vars(made)
    assert after.keys() == before.keys()
    assert all(after[name] is value for name, value in before.items())


def test_a_call_that_is_not_refused_sees_numpy_itself():
    made = module("(x[0] * x[1], np)")
    assert seen().run(Tensor(0.0), lambda: made.function(X))[1] is np


def test_a_wrong_derivative_is_not_made_right():
    """What takes a value out by another way is refused, as it was."""
    made = module("np.array([x[0], float(x[1])])")
    with pytest.raises(OutOfGraphError, match=r"float\(x\[1\]\)|float\(\)"):
        grad(lambda x: np.sum(seen().run(x, lambda: made.function(x))))(X)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_module_is_as_it_was_after_an_exception(error):
    made = module("np.array([x[0], x[1]]) if failure is None else fail()", "failure = fail = None\n")
    before = dict(vars(made))
    raised = []

    def fail():
        raised.append(made.np is not np)
        raise error

    made.fail, made.failure = fail, error
    before |= {"fail": fail, "failure": error}
    with pytest.raises(error):
        seen_by([vars(made)], Tensor(0.0), lambda: made.function(Tensor(X)))
    assert raised == [True]
    assert all(vars(made)[name] is value for name, value in before.items())
    assert isinstance(made.np.zeros(2), np.ndarray)


def test_an_interrupt_while_names_are_put_back_leaves_none_behind(monkeypatch):
    from reference_engine import constructors

    made, interrupted = module(), []
    leave = constructors._Substituted.leave

    def interrupt(self, call):
        if not interrupted:
            interrupted.append(made.np is not np)
            raise KeyboardInterrupt
        leave(self, call)

    monkeypatch.setattr(constructors._Substituted, "leave", interrupt)
    with pytest.raises(KeyboardInterrupt):
        seen_by([vars(made)], Tensor(0.0), lambda: None)
    assert interrupted == [True]
    assert made.np is np
    assert not constructors._all


def test_what_the_module_assigns_meanwhile_stays():
    made = module("rename()", "def rename():\n    global np, array\n    np = 'mine'\n    del array\n")
    seen_by([vars(made)], Tensor(0.0), lambda: made.function(X))
    assert made.np == "mine"
    assert not hasattr(made, "array")
    assert made.numpy is np


def test_calls_in_one_another_share_a_module():
    made = module("np.array([x[0], x[1]])")
    inner = []

    def outer():
        inner.append(seen_by([vars(made)], Tensor(0.0), lambda: made.function(Tensor(X))))
        inner.append(made.np is not np)
        return made.function(Tensor(X))

    assert isinstance(seen_by([vars(made)], Tensor(0.0), outer), Tensor)
    assert isinstance(inner[0], Tensor)
    assert inner[1]
    assert made.np is np


def test_another_thread_sees_arrays():
    made = module("np.zeros(2)")
    entered, done, found = threading.Event(), threading.Event(), []

    def elsewhere():
        entered.wait(10)
        found.append((made.function(X), made.np.array([1.0, 2.0])))
        done.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()

    def call():
        entered.set()
        done.wait(10)
        return made.function(X)

    assert isinstance(seen_by([vars(made)], Tensor(0.0), call), Tensor)
    thread.join()
    assert [type(value) for value in found[0]] == [np.ndarray, np.ndarray]


def test_calls_in_two_threads_put_a_module_back_once():
    made = module("np.array([x[0], x[1]])")
    barrier, found = threading.Barrier(2), []

    def call(wait):
        barrier.wait(10)
        result = made.function(Tensor(X))
        if wait:
            barrier.wait(10)
            result = made.function(Tensor(X))
        return result

    def one(wait):
        found.append(seen_by([vars(made)], Tensor(0.0), lambda: call(wait)))
        if not wait:
            barrier.wait(10)

    threads = [threading.Thread(target=one, args=(wait,)) for wait in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(value) for value in found] == [Tensor, Tensor]
    assert made.np is np


def test_other_modules_on_the_way_see_it_too():
    helper = module("np.array([x[0], x[1] ** 2])")
    made = module("np.array([help(x)[0], help(x)[1]])")
    made.help = helper.function
    calls = seen()
    found = jacobian(lambda x: calls.run(x, lambda: made.function(x)))(X)
    np.testing.assert_allclose(found, differences(made.function, X), rtol=1e-7, atol=1e-8)
    assert made.np is helper.np is np


def test_what_is_kept_is_numpys_function():
    made = module("kept.extend([np.sin, np.zeros, np.add, np.r_]) or x", "kept = []\n")
    seen_by([vars(made)], Tensor(0.0), lambda: made.function(X))
    sin, zeros, add, r_ = made.kept
    assert sin == np.sin
    assert hash(sin) == hash(np.sin)
    assert isinstance(zeros(2), np.ndarray)
    assert (add.nin, add.reduce([1, 2]), list(r_[1, 2])) == (2, 3, [1, 2])
    assert pickle.loads(pickle.dumps(zeros)) == np.zeros
    assert repr(sin) == repr(np.sin)


def test_integers_and_large_constants_stay_arrays():
    made = module("[np.zeros(3, int), np.array([1, 2]), np.zeros(10**6), np.zeros(3)]")
    found = seen_by([vars(made)], Tensor(0.0), lambda: made.function(X))
    assert [type(value) for value in found] == [np.ndarray, np.ndarray, np.ndarray, Tensor]


def test_names_of_numpy_can_be_set_through_it(monkeypatch):
    made = module("setattr(np, 'no_such_name', 1) or np")
    found = seen_by([vars(made)], Tensor(0.0), lambda: made.function(X))
    assert np.no_such_name == 1
    del found.no_such_name
    assert not hasattr(np, "no_such_name")
    assert "zeros" in dir(found)


def test_lists_with_tensors_are_operands_without_it():
    found = jacobian(lambda x: np.concatenate([[x[0]], x * [x[1], 2.0, 3.0]]))(X)
    expected = [[1, 0, 0], [X[1], X[0], 0], [0, 2, 0], [0, 0, 3]]
    np.testing.assert_allclose(found, expected)
