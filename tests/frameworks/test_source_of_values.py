from __future__ import annotations

import dataclasses
import enum
import math
import struct
import subprocess
import sys
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_gradcheck.core.report.source import to_source

# The names that pasted source finds, next to the user's own classes.
NAMES = {"np": np, "torch": torch, "inf": inf, "nan": nan}


@dataclasses.dataclass
class State:
    position: Any
    mass: float
    half: float = dataclasses.field(init=False, default=0.5)


class Pair(NamedTuple):
    left: Any
    right: Any


class Color(enum.Enum):
    RED = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


def entries(tensor: torch.Tensor) -> list[bytes]:
    """Return the bytes of each entry, by way of NumPy and, for bfloat16, of an integer."""
    plain = tensor.detach().view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor.detach()
    return [entry.tobytes() for entry in plain.numpy().reshape(-1)]


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same in type, shape, dtype and every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, np.ndarray | np.generic):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype == np.longdouble:
            # Six of the sixteen bytes are padding.
            return bool(np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a), np.signbit(b)))
        return a.tobytes() == b.tobytes()
    if isinstance(a, torch.Tensor):
        if (a.dtype, a.shape, a.device, a.requires_grad) != (b.dtype, b.shape, b.device, b.requires_grad):
            return False
        return entries(a) == entries(b)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, State):
        return same(a.position, b.position) and same(a.mass, b.mass)
    return bool(a == b)


def back(source: str) -> Any:
    return eval(source, {**NAMES, "State": State, "Pair": Pair, "Color": Color, "Access": Access})


def assert_round_trip(value: Any) -> str:
    source = to_source(value)
    assert same(back(source), value), source
    return source


# -- what it looks like ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (inf, "float('inf')"),
        (-inf, "-float('inf')"),
        (nan, "float('nan')"),
        (-nan, "-float('nan')"),
        (1 + 2j, "(1+2j)"),
        (complex(-0.0, 1.0), "complex(-0.0, 1.0)"),
        (complex(inf, -0.0), "complex(float('inf'), -0.0)"),
        (True, "True"),
        (None, "None"),
        ("a'b", '"a\'b"'),
        (slice(None, 2), "slice(None, 2, None)"),
        ((1.0,), "(1.0,)"),
        ((), "()"),
        ({"a": [1, 2.0]}, "{'a': [1, 2.0]}"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        (Pair(1.0, 2), "Pair(left=1.0, right=2)"),
        (State(np.array([0.5]), 2.0), "State(position=np.array([0.5]), mass=2.0)"),
        (Color.RED, "Color.RED"),
        (Access.READ | Access.WRITE, "Access(3)"),
        (np.float32, "np.float32"),
        (np.dtype(np.float32), "np.dtype('float32')"),
        (np.float32(0.1), "np.float32(0.1)"),
        (np.float64(nan), "np.float64(np.nan)"),
        (np.bool_(True), "np.bool_(True)"),
        (np.int8(-3), "np.int8(-3)"),
        (np.array([[0.1, -2.0]]), "np.array([[0.1, -2.0]])"),
        (np.array([[0.1, -2.0]], np.float32), "np.array([[0.1, -2.0]], dtype=np.float32)"),
        (np.array([nan, -inf]), "np.array([np.nan, -np.inf])"),
        (np.array(0.5), "np.array(0.5)"),
        (np.array([1, 2]), "np.array([1, 2])"),
        (np.array([1, 2], np.int8), "np.array([1, 2], dtype=np.int8)"),
        (np.array([True, False]), "np.array([True, False])"),
        (np.array(["a", "bc"]), "np.array(['a', 'bc'])"),
        (np.zeros((0, 3)), "np.zeros((0, 3))"),
        (np.zeros(0, np.int16), "np.zeros(0, dtype=np.int16)"),
        (np.zeros((10, 10)), "np.zeros((10, 10))"),
        (np.full((10, 10), 0.1, np.float32), "np.full((10, 10), 0.1, dtype=np.float32)"),
        (np.full(9, 3), "np.full(9, 3, dtype=np.int64)"),
        (
            np.eye(1, 100, 17),
            "(lambda a: (a.put([17], [1.0]), a)[1])(np.zeros((1, 100)))",
        ),
        (np.arange(3.0).astype(">f4"), "np.array([0.0, 1.0, 2.0], dtype='>f4')"),
        (torch.tensor([0.1], dtype=torch.float64), "torch.tensor([0.1], dtype=torch.float64)"),
        (torch.tensor([[0.1]], dtype=torch.bfloat16), "torch.tensor([[0.1]], dtype=torch.bfloat16)"),
        (torch.tensor(0.1, dtype=torch.float16), "torch.tensor(0.1, dtype=torch.float16)"),
        (torch.tensor([1, 2]), "torch.tensor([1, 2])"),
        (
            torch.tensor([1.5], requires_grad=True),
            "torch.tensor([1.5], dtype=torch.float32, requires_grad=True)",
        ),
        (torch.zeros(3, 40), "torch.zeros((3, 40), dtype=torch.float32)"),
        (torch.zeros(2, 0), "torch.zeros((2, 0), dtype=torch.float32)"),
        (torch.ones(40).requires_grad_(), "torch.full((40,), 1.0, dtype=torch.float32).requires_grad_()"),
    ],
    ids=repr,
)
def test_source_reads_as_a_person_would_write_it(value: Any, source: str) -> None:
    assert to_source(value) == source
    assert same(back(source), value)


def test_mostly_constant_tensor() -> None:
    x = torch.zeros(20, 10, dtype=torch.float64)
    x[3, 4] = -0.0
    x[7, 0] = 0.3
    source = assert_round_trip(x)
    assert source.startswith("torch.zeros(200, dtype=torch.float64).scatter(0, torch.tensor([34, 70])")


def test_large_irregular_values_are_packed() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 20))
    source = assert_round_trip(x)
    assert len(source) < 12_500
    assert back(source).flags.writeable
    assert len(assert_round_trip(torch.from_numpy(x).float())) < 6_500


def test_layouts_that_have_a_short_source_are_kept() -> None:
    x = np.arange(6.0).reshape(2, 3)
    wide = np.repeat(x, 2, -1)[..., ::2]
    backwards = x[..., ::-1].copy()[..., ::-1]
    for array in (np.asfortranarray(x), wide, backwards, backwards[0], x.T):
        assert back(assert_round_trip(array)).strides == array.strides
    t = torch.from_numpy(x)
    dense = torch.arange(24.0).reshape(2, 3, 4).permute(2, 1, 0)
    gaps = t.repeat_interleave(2, -1)[..., ::2]
    for tensor in (t.T, dense, t[:1].expand(2, 3), torch.tensor([1.0]).expand(3), gaps, gaps[0]):
        assert back(assert_round_trip(tensor)).stride() == tensor.stride()
    assert to_source(torch.tensor([1.0]).expand(3)) == "torch.tensor([1.0], dtype=torch.float32).expand(3)"
    leaf = torch.tensor([1.0]).expand(3).requires_grad_()
    assert to_source(leaf) == "torch.tensor([1.0], dtype=torch.float32).expand(3).requires_grad_()"


def test_other_layouts_are_not_kept() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert to_source(x.repeat(2, 0)[::-2]) == to_source(x[::-1].copy())
    assert to_source(torch.arange(9.0)[4::5].reshape(1)) == "torch.tensor([4.0], dtype=torch.float32)"


def test_parameter() -> None:
    p = torch.nn.Parameter(torch.tensor([0.5]))
    assert to_source(p) == "torch.nn.Parameter(torch.tensor([0.5], dtype=torch.float32))"


def test_other_values_fall_back_to_repr() -> None:
    state = np.random.RandomState(0)
    assert to_source(state) == repr(state)
    assert to_source([state]) == f"[{state!r}]"
    masked = np.ma.masked_array([1.0], [True])
    assert to_source(masked) == repr(masked)
    objects = np.array([None, 1], dtype=object)
    assert to_source(objects) == repr(objects)
    meta = torch.empty(3, device="meta")
    assert to_source(meta) == repr(meta)
    cyclic: list[Any] = [1.0]
    cyclic.append(cyclic)
    assert to_source(cyclic) == "[1.0, [1.0, [...]]]"


def test_the_same_array_twice_is_written_twice() -> None:
    x = np.array([1.0])
    assert to_source([x, x]) == "[np.array([1.0]), np.array([1.0])]"


def test_integer_of_too_many_digits_for_python() -> None:
    assert_round_trip(10**5000)


def test_max_length_gives_a_summary() -> None:
    assert to_source(np.zeros(9), max_length=20) == "np.zeros(9)"
    assert to_source(np.eye(3), max_length=20) == "<ndarray float64 (3, 3)>"
    assert to_source(torch.eye(3), max_length=20) == "<Tensor float32 (3, 3)>"
    assert to_source([1.5] * 9, max_length=20) == "<list of 9>"
    assert to_source(State(1.0, 2.0), max_length=9) == "<State>"
    assert to_source((1.5,), max_length=20) == "(1.5,)"


def test_torch_is_not_imported() -> None:
    code = """
import sys
import numpy as np
from pytest_gradcheck.core.report.source import to_source
to_source([np.zeros(3), 1.0, object()])
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# -- every bit -------------------------------------------------------------------------------------

# Any bits at all: every NaN payload, subnormals, infinities, zeros of both signs.
bit_floats = st.integers(0, 2**64 - 1).map(lambda b: struct.unpack("<d", struct.pack("<Q", b))[0])
floats = st.floats() | bit_floats


@given(floats)
def test_floats(value: float) -> None:
    assert_round_trip(value)


@given(st.builds(complex, floats, floats))
def test_complex(value: complex) -> None:
    assert_round_trip(value)


NUMERIC = ["f2", "f4", "f8", "c8", "c16", "i1", "i4", "i8", "u1", "u8", "?", ">f8", ">i2"]


@settings(max_examples=200)
@given(st.data())
def test_arrays(data: st.DataObject) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(NUMERIC)))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
    if data.draw(st.booleans()) and dtype.kind != "b":
        size = dtype.itemsize * math.prod(shape)
        value = np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)
    else:
        value = data.draw(hnp.arrays(dtype, shape))
    assert_round_trip(value)
    if value.size and dtype.isnative:
        assert_round_trip(value.reshape(-1)[0])


@given(hnp.arrays(np.longdouble, 3, elements=st.floats(allow_nan=False)))
def test_long_doubles(value: np.ndarray) -> None:
    assert_round_trip(value / np.longdouble(3))


@given(
    hnp.arrays(
        np.float64, st.integers(60, 400), elements=st.floats(), fill=st.sampled_from([0.0, -0.0, 0.1, nan])
    )
)
@settings(max_examples=50)
def test_larger_arrays_and_tensors(value: np.ndarray) -> None:
    assert_round_trip(value)
    assert_round_trip(torch.from_numpy(value))


TORCH = [
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
    torch.complex128,
    torch.int8,
    torch.int64,
    torch.uint8,
]


@settings(max_examples=200)
@given(st.data())
def test_tensors(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(TORCH))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    size = dtype.itemsize * math.prod(shape)
    if data.draw(st.booleans()):
        raw = data.draw(st.binary(min_size=size, max_size=size))
        real = {torch.complex64: torch.float32, torch.complex128: torch.float64}.get(dtype, dtype)
        flat = torch.frombuffer(bytearray(raw), dtype=real) if raw else torch.zeros(0, dtype=real)
        value = torch.view_as_complex(flat.reshape(-1, 2)) if dtype.is_complex else flat
        value = value.reshape(shape)
    else:
        value = torch.from_numpy(data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-100, 100)))).to(
            dtype
        )
    if dtype.is_floating_point:
        value.requires_grad_(data.draw(st.booleans()))
    assert_round_trip(value)


leaves = floats | st.integers() | st.text() | st.booleans() | st.none() | hnp.arrays(np.float32, (2,))
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.builds(State, inner, st.floats())
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=6,
)


@given(nested)
def test_nested_values(value: Any) -> None:
    assert_round_trip(value)
