"""What a function keeps between calls is an ordinary value after a check, and every call starts from it."""

import collections
import dataclasses
import functools
import types

import numpy as np
import pytest

from pytest_gradcheck import check_gradients
from pytest_gradcheck.function.problem import Problem
from pytest_gradcheck.function.state import State, changed, put_back
from reference_engine import Tensor

X = np.array([0.3, -1.2, 0.7, 2.0])
ORDINARY = int | float | complex | np.ndarray | np.generic


def arrays_in(value):
    """Every array, number and stand-in for one in a value."""
    if isinstance(value, dict):
        return [found for part in value.values() for found in arrays_in(part)]
    if isinstance(value, list | tuple | set | collections.deque):
        return [found for part in value for found in arrays_in(part)]
    if hasattr(value, "__dict__") and not hasattr(type(value), "__array__"):
        return arrays_in(vars(value))
    return [value]


# -- what holds it ------------------------------------------------------------------------------------


class Attribute:
    def __init__(self):
        self.mean = np.zeros(())

    def __call__(self, x):
        self.mean = 0.9 * self.mean + 0.1 * np.mean(x)
        return x - np.mean(x)

    def kept(self):
        return self.mean


class Slot(Attribute):
    __slots__ = ("mean",)


class OfTheClass:
    mean = 0.0

    def __call__(self, x):
        OfTheClass.mean = 0.9 * OfTheClass.mean + 0.1 * np.mean(x)
        return np.sin(x)

    def kept(self):
        return OfTheClass.mean


class InADict:
    def __init__(self):
        self.cache = {}

    def __call__(self, x):
        self.cache["squares"] = x * x
        self.cache.setdefault("first", np.cos(x))
        return self.cache["squares"] + x

    def kept(self):
        return self.cache


class InAList:
    def __init__(self):
        self.log, self.recent = [], collections.deque(maxlen=2)

    def __call__(self, x):
        self.log.append(x * 2)
        self.recent.append((x, 1))
        return np.tanh(x)

    def kept(self):
        return self.log, self.recent


@dataclasses.dataclass
class Hidden:
    h: object
    steps: int


class InADataclass:
    def __init__(self):
        self.hidden = None, Hidden(0.0, 0)

    def __call__(self, x):
        self.hidden = x, Hidden(np.tanh(x), self.hidden[1].steps + 1)
        return np.tanh(x)

    def kept(self):
        return self.hidden[0], self.hidden[1].h


class InAFunction:
    def __init__(self):
        self.back = None

    def __call__(self, x):
        slope = np.cos(x)
        self.back = lambda cotangent: cotangent * slope
        return np.sin(x)

    def kept(self):
        return self.back(1.0)


class InAPartial:
    def __init__(self):
        self.back = functools.partial(np.multiply, 1.0)

    def __call__(self, x):
        self.back = functools.partial(np.multiply, np.cos(x))
        return np.sin(x)

    def kept(self):
        return self.back(1.0)


class MadeInTheFirstCall:
    def __call__(self, x):
        if not hasattr(self, "buffers"):
            self.buffers = {}
        self.buffers["last"] = x * 1
        return x**3

    def kept(self):
        return self.buffers


HOLDERS = [
    Attribute, Slot, OfTheClass, InADict, InAList, InADataclass, InAFunction, InAPartial, MadeInTheFirstCall
]  # fmt: skip


@pytest.mark.parametrize("how", ["object", "closure", "method", "partial", "argument"])
@pytest.mark.parametrize("holder", HOLDERS)
def test_only_ordinary_values_are_left(holder, how):
    made = holder()
    fn, inputs = {
        "object": (made, X),
        "closure": (lambda x: made(x), X),
        "method": (made.__call__, X),
        "partial": (functools.partial(lambda f, x: f(x), made), X),
        "argument": (lambda f, x: f(x), (made, X)),
    }[how]

    for _ in range(2):
        result = check_gradients(fn, inputs, methods=("central", "complex_step", "reference", "torch"))

        assert result.verdict == "pass", str(result)
        assert {status.status for status in result.methods.values()} == {"ok"}, str(result)
        assert all(isinstance(value, ORDINARY) for value in arrays_in(made.kept())), made.kept()
        # A log has them where the complex step was asked for.
        assert holder is InAList or not any(np.iscomplexobj(value) for value in arrays_in(made.kept()))


total = np.zeros(4)


def adds_to_a_global(x):
    global total, newest
    total = total + x
    newest = [x * 2]
    return x * np.exp(x)


def test_globals_of_the_test_module():
    for _ in range(2):
        assert check_gradients(adds_to_a_global, X).verdict == "pass"
        assert type(total) is type(newest[0]) is np.ndarray
        np.testing.assert_array_equal(newest[0], 2 * X)


def test_a_variable_of_a_closure():
    last = None

    def fn(x):
        nonlocal last
        last = {"x": (x, 2 * x)}
        return np.sqrt(1 + x * x)

    assert check_gradients(fn, X).verdict == "pass"
    assert all(type(value) is np.ndarray for value in last["x"])


def test_a_generator():
    kept = []

    def keeps():
        while True:
            kept.append((yield))

    generator = keeps()
    next(generator)

    def fn(x):
        generator.send(x * 2)
        return np.sin(x)

    assert check_gradients(fn, X).verdict == "pass"
    assert kept
    assert all(type(value) is np.ndarray for value in kept)


def test_a_check_that_raises_leaves_ordinary_values():
    class Refuses(Attribute):
        def __call__(self, x):
            out = super().__call__(x)
            if not isinstance(x, np.ndarray):
                raise KeyError("a stand-in for an array")
            return out

    made = Refuses()
    result = check_gradients(made, X)
    assert result.verdict == "inconclusive"
    assert isinstance(made.mean, float)

    made = Attribute()

    def stops(x):
        made(x)
        if not isinstance(x, np.ndarray):
            raise KeyboardInterrupt
        return np.sin(x)

    with pytest.raises(KeyboardInterrupt):
        check_gradients(stops, X)
    assert isinstance(made.mean, float)


# -- every call starts from the same state --------------------------------------------------------------


class Layer:
    """A layer as it is written by hand: the backward uses what the last forward has kept."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def forward(self, x):
        self.x = x
        return np.sin(x) * x

    def backward(self, cotangent):
        return self.factor * cotangent * (np.cos(self.x) * self.x + np.sin(self.x))


@pytest.mark.parametrize("mode", ["full", "directional"])
def test_a_backward_that_uses_what_the_forward_has_kept(mode):
    layer = Layer()
    result = check_gradients(layer.forward, X, vjp=lambda x, cotangent: layer.backward(cotangent), mode=mode)
    assert result.verdict == "pass", str(result)
    np.testing.assert_array_equal(layer.x, X)


def test_such_a_backward_that_is_wrong_fails():
    layer = Layer(factor=1.01)
    result = check_gradients(layer.forward, X, vjp=lambda x, cotangent: layer.backward(cotangent))
    assert (result.verdict, result.culprit) == ("fail", "user")


class LargestSoFar:
    """Divides by the largest entry of all calls: two calls at a point agree, and a farther one in between."""

    def __init__(self):
        self.largest = np.zeros(())

    def __call__(self, x):
        if type(x) is np.ndarray and x.max() > self.largest:
            self.largest = np.asarray(x.max())
        return x / self.largest


def test_a_state_that_a_call_elsewhere_changes_for_good():
    made = LargestSoFar()
    made(3 * X)
    problem = Problem(made, X)
    problem.evaluate(100 * X)
    np.testing.assert_array_equal(problem.evaluate(X), problem.value)
    result = check_gradients(made, X, vjp=lambda x, u: u / 6.0)
    assert result.verdict == "pass", str(result)


def test_a_function_whose_value_drifts_is_nondeterministic():
    for start in (np.zeros(4), 1.5):

        def fn(x):
            nonlocal start
            start = 0.5 * start + 0.5
            return x * start

        result = check_gradients(fn, X)
        assert (result.verdict, result.diagnosis.code) == ("inconclusive", "nondeterministic")


def test_a_function_may_count_and_log_its_calls():
    count, seconds, log = 0, 0.0, []

    def fn(x):
        nonlocal count, seconds
        count += 1
        seconds += 0.5
        log.append(float(x[0]) if type(x) is np.ndarray else None)
        return np.sin(x)

    result = check_gradients(fn, X)
    assert count == len(log) == 2 * seconds
    assert count > result.methods["central"].calls


# -- State by itself ------------------------------------------------------------------------------------


def test_what_is_not_of_numbers_stays():
    kept = {"n": 1, "name": "a", "array": np.ones(2), "gone": np.float64(1)}
    state = State(lambda: kept)
    before = state.now()
    assert not changed(before)
    kept |= {"n": 2, "name": "b", "array": np.zeros(2), "new": Tensor(np.ones(2)), "flag": True}
    del kept["gone"]
    assert changed(before)
    put_back(before)
    assert kept == {"n": 2, "name": "b", "array": before[-1][1]["array"], "gone": 1.0, "flag": True}


def test_a_list_keeps_its_order():
    one, two, three = np.ones(1), np.ones(2), np.ones(3)
    kept = [one, 1, two]
    before = State(kept).now()
    kept[:] = [Tensor(one), "text", three, Tensor(two), 5, Tensor(three)]
    put_back(before)
    assert [type(item) for item in kept] == [np.ndarray, str, np.ndarray, int]
    assert kept[0] is one


def test_objects_that_refuse_to_be_looked_at():
    class Refuses:
        def __init__(self):
            self.array = np.ones(2)

        def __getattribute__(self, name):
            raise RuntimeError(name)

    assert not put_back(State(Refuses(), [Refuses()]).now())


def test_so_many_objects_are_looked_at_and_no_more():
    state = State([[] for _ in range(900)], [[[] for _ in range(9)] for _ in range(900)])
    assert len(state.now()) <= 5000


class InSlots:
    __slots__ = ("one", "two")

    def __init__(self):
        self.one = np.ones(1)


@pytest.mark.parametrize("holder", [*HOLDERS, InSlots])
def test_a_holder_sees_what_is_replaced_and_nothing_else(holder):
    made = holder()
    state = State(made, lambda: (made, total))
    for part, parts in state.now():
        assert part.holds(parts), (part, parts)
        for key in parts:
            assert not part.holds({**parts, key: object()}), (part, key)
            assert not part.holds({k: v for k, v in parts.items() if k != key}), (part, key)
        # Cells, slots and the globals that code mentions are so many, and no more.
        if type(part).__name__ in ("_Dict", "_Sequence", "_Set"):
            assert not part.holds({**parts, "one more": object()})


@pytest.mark.parametrize("fn", [np.sin, np.add.reduce, abs])
def test_what_keeps_nothing_has_no_state(fn):
    # All else that a check does for a state costs as much as three evaluations of such a function.
    assert not State(fn, X, 1.0, "text", None)
    assert State(lambda x: fn(x))


def test_calls_beyond_the_guarded_ones_leave_ordinary_values():
    class Late:
        def __init__(self):
            self.calls, self.kept = 0, np.zeros(())

        def __call__(self, x):
            self.calls += 1
            if self.calls > 40:
                self.kept = x
            return np.sin(x)

    made = Late()
    result = check_gradients(made, X, order=2)
    assert result.verdict == "pass", str(result)
    assert made.calls > 60
    assert isinstance(made.kept, np.ndarray)


# -- what functions rest on ---------------------------------------------------------------------------------


def content(*functions):
    return State(*functions).content()


def adds(number):
    return lambda x: x + number


def test_functions_of_the_same_code_and_numbers_rest_on_the_same():
    assert content(adds(1.0)) == content(adds(1.0))
    assert hash(content(adds(1.0))) == hash(content(adds(1.0)))
    assert content(adds(np.arange(3))) == content(adds(np.arange(3)))
    assert content(adds(np.nan)) == content(adds(np.nan))


class Box:
    def __init__(self, part):
        self.part = part


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda box: lambda x: x + box.part, lambda box: setattr(box, "part", 2.0)),
        (lambda box: functools.partial(lambda b, x: x + b.part, box), lambda box: setattr(box, "part", 2.0)),
        (lambda box: lambda x, b=box: x + b.part, lambda box: setattr(box, "part", 2.0)),
        (lambda box: adds(Box([box])), lambda box: setattr(box, "part", 2.0)),
        (lambda box: adds({"a": box}), lambda box: setattr(box, "part", -1.0)),
    ],
    ids=["closure", "partial", "default", "list", "dict"],
)
def test_what_functions_rest_on_is_seen_to_change(make, change):
    box = Box(1.0)
    function = make(box)
    before = content(function)
    assert content(function) == before
    change(box)
    assert content(function) != before


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (0.0, -0.0), (True, 1), ((1, 2), (1, 3)), (np.zeros(2), np.zeros(3))]
)
def test_values_that_differ_are_told_apart(one, other):
    assert content(adds(one)) != content(adds(other))


def test_a_number_in_an_array_is_seen_to_change():
    array = np.zeros(3)
    function = adds(array)
    before = content(function)
    array[1] = 1.0
    assert content(function) != before


def test_what_cannot_be_seen_whole_is_unlike_itself():
    huge = adds([Box(k) for k in range(900)] * 1)
    crowd = adds([[Box(k) for k in range(900)] for _ in range(9)])
    large = adds(np.zeros(2**18))
    assert content(huge) == content(huge)
    for function in (crowd, large):
        assert content(function) != content(function)


def test_a_module_inside_of_a_module_is_looked_into(monkeypatch):
    outer, inner = types.ModuleType("outer_of_mine"), types.ModuleType("outer_of_mine.inner")
    outer.inner, inner.factor = inner, 1.0
    function = lambda x: x * outer.inner.factor  # noqa: E731  it closes over the module
    before = content(function)
    inner.factor = 2.0
    assert content(function) != before
