from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pytest
import torch
from drawing import examples
from hypothesis import strategies as st
from jaxtyping import Float, Float32, Int

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.strategies import arrays, domain_of, from_annotation, scalars


@dataclasses.dataclass
class State:
    position: np.ndarray[Any, np.dtype[np.float64]]
    mass: float
    label: int = dataclasses.field(init=False, default=3)


class Pair(NamedTuple):
    left: float
    right: torch.Tensor


class Options(TypedDict):
    rate: float
    steps: int


def drawn(annotation: Any, count: int = 60) -> list[Any]:
    return examples(from_annotation(annotation, "x"), count)


def test_plain_annotations() -> None:
    assert {type(x) for x in drawn(float)} == {float}
    assert {type(x) for x in drawn(complex)} == {complex}
    assert {x.dtype for x in drawn(np.ndarray)} == {np.dtype(np.float64)}
    assert {x.dtype for x in drawn(npt.NDArray[np.float32])} == {np.dtype(np.float32)}
    assert {x.dtype for x in drawn(npt.NDArray[Any])} == {np.dtype(np.float64)}
    assert {x.dtype for x in drawn(npt.NDArray[np.floating])} == {np.dtype(np.float64)}
    assert {type(x) for x in drawn(np.float32)} == {np.float32}
    assert {x.dtype for x in drawn(torch.Tensor)} == {torch.float64}


def test_constants() -> None:
    assert set(drawn(int)) == {0, 1, 2, 3, 4, 5}
    assert set(drawn(bool)) == {False, True}
    assert set(drawn(Literal["sum", "mean"])) == {"sum", "mean"}
    assert set(drawn(None)) == {None}


def test_nested_annotations() -> None:
    for value in drawn(tuple[float, list[np.ndarray]]):
        assert isinstance(value, tuple)
        assert isinstance(value[0], float)
        assert all(isinstance(v, np.ndarray) for v in value[1])
        assert len(value[1]) >= 1
    assert {len(value) for value in drawn(tuple[float, ...], 200)} == {1, 2, 3, 4}
    for value in drawn(State):
        assert isinstance(value.position, np.ndarray)
        assert isinstance(value.mass, float)
        assert value.label == 3
    assert all(isinstance(v, Pair) and isinstance(v.right, torch.Tensor) for v in drawn(Pair))
    assert all(set(v) == {"rate", "steps"} for v in drawn(Options))


def test_annotated_strategy_keeps_its_domain() -> None:
    strategy = from_annotation(Annotated[float, "unit", scalars(0, 1)], "x")
    assert domain_of(strategy) == (0.0, 1.0)
    assert {type(x) for x in drawn(Annotated[float, "unit"])} == {float}


# -- jaxtyping -------------------------------------------------------------------------------------


def shapes(annotation: Any, count: int = 100) -> set[tuple[int, ...]]:
    return {tuple(x.shape) for x in drawn(annotation, count)}


def test_jaxtyping_dtypes_and_array_types() -> None:
    assert {x.dtype for x in drawn(Float[np.ndarray, "n"])} == {np.dtype(np.float64)}
    assert {x.dtype for x in drawn(Float32[np.ndarray, "n"])} == {np.dtype(np.float32)}
    assert {x.dtype for x in drawn(Float32[torch.Tensor, "3 4"])} == {torch.float32}


def test_jaxtyping_sizes() -> None:
    assert shapes(Float[torch.Tensor, "3 4"]) == {(3, 4)}
    assert shapes(Float[np.ndarray, ""]) == {()}
    assert shapes(Float[np.ndarray, "rows=3 2"]) == {(3, 2)}
    assert len(shapes(Float[np.ndarray, "n k"])) > 8
    assert all(n == m for n, m in shapes(Float[np.ndarray, "n n"]))
    assert all(m == n + 1 for n, m in shapes(Float[np.ndarray, "n n+1"]))
    assert all(m == n - 1 > 0 for n, m in shapes(Float[np.ndarray, "n n-1"]))
    assert {len(s) for s in shapes(Float[np.ndarray, "*batch 3"])} == {1, 2, 3}
    assert {len(s) for s in shapes(Float[np.ndarray, "... 3"])} == {1, 2, 3}
    assert any(n != m for n, m in shapes(Float[np.ndarray, "_ _"]))
    broadcast = shapes(Float[np.ndarray, "n #n"], 300)
    assert all(m in (1, n) for n, m in broadcast)
    assert any(m == 1 < n for n, m in broadcast)
    assert any(m == n > 1 for n, m in broadcast)


def test_named_sizes_are_one_number_in_all_arguments() -> None:
    matrix = from_annotation(Float[np.ndarray, "n k"], "a")
    vector = from_annotation(Float[torch.Tensor, "k"], "b")
    both = st.tuples(matrix, vector)
    sizes = {(*a.shape, *b.shape) for a, b in examples(both, 100)}
    assert all(k == again for _, k, again in sizes)
    assert len(sizes) > 8
    left, right = Float[np.ndarray, "... 2"], Float[np.ndarray, "*batch 3"]
    pair = drawn(tuple[right, left, right])
    assert all(a.shape == b.shape for a, _, b in pair)
    assert any(a.shape[:-1] != c.shape[:-1] for a, c, _ in pair)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (str, "x: got the annotation str; supply strings by parametrize"),
        (float | None, "one type"),
        (float | np.ndarray, "one type"),
        (dict[str, float], "TypedDict or a dataclass"),
        (dict, "TypedDict or a dataclass"),
        (list, r"list\[float\]"),
        (tuple, r"tuple\[float, \.\.\.\]"),
        (object, "annotate it with float"),
        (Any, "annotate it with float"),
        (torch.nn.Linear, "annotate it with float"),
        (npt.NDArray[np.int64], "gradients need a floating dtype"),
        (Int[np.ndarray, "n"], "gradients need a floating dtype"),
        (Float[Any, "n"], "np.ndarray or a torch.Tensor"),
        (Float[np.ndarray, "n.real"], "the size 'n.real'"),
        (Float[np.ndarray, "{n}"], "the size '{n}'"),
    ],
)
def test_unsupported_annotations_are_named_with_a_remedy(annotation: Any, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text) as caught:
        from_annotation(annotation, "x")
    assert caught.value.argument == "x"


def test_a_nested_part_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"^x\[1\]: got the annotation str"):
        from_annotation(tuple[float, str], "x")


def test_array_of_a_drawn_annotation_has_no_domain() -> None:
    assert domain_of(from_annotation(np.ndarray, "x")) is None
    assert repr(from_annotation(np.ndarray, "x")) == repr(arrays())
