"""Strategies from annotations."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.registry import imported, named
from pytest_gradcheck.strategies.dtypes import COMPONENTS
from pytest_gradcheck.strategies.points import arrays, points, scalars
from pytest_gradcheck.strategies.sizes import symbolic

_MAX_SIDE = 4
_SUPPORTED = (
    "annotate it with float, np.ndarray, NDArray[np.float64], torch.Tensor, a jaxtyping array, or a tuple, "
    "list or dataclass of these; or give a strategy to the marker"
)


def from_annotation(annotation: Any, name: str) -> st.SearchStrategy[Any]:
    """Return a strategy for the values that an annotation describes.

    Parameters
    ----------
    annotation
        ``float``, ``complex``, a NumPy floating type, ``np.ndarray``, ``NDArray[dtype]``, another
        framework's array type, a jaxtyping array of one of these, and tuples, lists, named tuples, typed
        dicts and dataclasses of these. ``Annotated[..., strategy]`` stands for its strategy.
    name
        The argument's name, for error messages.

    ``int`` (0 to 5), ``bool``, ``Literal`` and ``None`` give constants: they are drawn, never
    differentiated. A named size of jaxtyping (``Float[np.ndarray, "n k"]``) is one number within an
    example, whichever arguments name it.

    Raises `pytest_gradcheck.InvalidArgument` for every other annotation.
    """
    # `type X = ...` of Python 3.12 is an object around the type that it names.
    annotation = getattr(annotation, "__value__", annotation)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        given = [a for a in annotation.__metadata__ if isinstance(a, st.SearchStrategy)]
        return given[-1] if given else from_annotation(annotation.__origin__, name)
    if annotation in _PLAIN:
        return _PLAIN[annotation]()
    if origin is typing.Literal:
        return st.sampled_from(args)
    if origin is np.ndarray:
        return arrays(dtype=_numpy_dtype(args, annotation, name))
    # By its attributes: the package need not be imported to know that an annotation is not from there.
    if all(hasattr(annotation, attribute) for attribute in ("dtypes", "dim_str", "array_type")):
        return _from_jaxtyping(annotation, name)
    if isinstance(annotation, type) and issubclass(annotation, np.floating | np.complexfloating):
        return arrays((), annotation).map(lambda array: array[()])
    library = _library_of(annotation)
    if library is not None:
        return points(library)
    if origin in (tuple, list):
        return _from_sequence(origin, args, name)
    fields = _fields(annotation)
    if fields is not None:
        parts = {key: from_annotation(hint, f"{name}.{key}") for key, hint in fields.items()}
        if typing.is_typeddict(annotation):
            return st.fixed_dictionaries(parts)
        return st.builds(annotation, **parts)
    raise _unsupported(annotation, name, _remedy(annotation, origin))


_PLAIN: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
    float: scalars,
    complex: lambda: st.builds(complex, scalars(), scalars()),
    int: lambda: st.integers(0, 5),
    bool: st.booleans,
    None: st.none,
    type(None): st.none,
}


def _library_of(annotation: Any) -> str | None:
    """Return the library whose arrays an annotation stands for, None for any other annotation."""
    frameworks = (named("numpy"), *imported())
    return next((f.name for f in frameworks if f.drawn_dtypes and f.is_array_type(annotation)), None)


def _numpy_dtype(args: tuple[Any, ...], annotation: Any, name: str) -> Any:
    """Return the dtype of ``np.ndarray[shape, np.dtype[scalar type]]``, float64 where it leaves that open."""
    inner = typing.get_args(args[1]) if len(args) > 1 else ()
    scalar = inner[0] if inner else Any
    if isinstance(scalar, type) and issubclass(scalar, np.floating | np.complexfloating):
        return np.float64 if scalar is np.floating else scalar
    if scalar in (Any, np.generic, np.number, np.inexact) or isinstance(scalar, typing.TypeVar):
        return np.float64
    remedy = "for constants give a strategy, as in hypothesis.extra.numpy.arrays"
    raise _unsupported(annotation, name, f"gradients need a floating dtype; {remedy}")


def _from_sequence(origin: Any, args: tuple[Any, ...], name: str) -> st.SearchStrategy[Any]:
    if origin is list or (len(args) == 2 and args[1] is Ellipsis):
        entries = st.lists(from_annotation(args[0], f"{name}[0]"), min_size=1, max_size=_MAX_SIDE)
        return entries if origin is list else entries.map(tuple)
    return st.tuples(*(from_annotation(a, f"{name}[{i}]") for i, a in enumerate(args)))


def _fields(annotation: Any) -> dict[str, Any] | None:
    """Return the annotated fields of a dataclass, named tuple or typed dict; None for anything else."""
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        hints = typing.get_type_hints(annotation, include_extras=True)
        return {f.name: hints[f.name] for f in dataclasses.fields(annotation) if f.init}
    if typing.is_typeddict(annotation) or hasattr(annotation, "_fields"):
        return typing.get_type_hints(annotation, include_extras=True)
    return None


def _remedy(annotation: Any, origin: Any) -> str:
    if origin in (typing.Union, types.UnionType):
        return "annotate it with one type, or give a strategy to the marker"
    if origin is dict or annotation is dict:
        return "annotate it with a TypedDict or a dataclass, or give st.fixed_dictionaries(...) to the marker"
    if annotation is str:
        return "supply strings by parametrize, or give a strategy such as st.sampled_from(...) to the marker"
    if annotation in (tuple, list):
        return f"say what it holds, such as {'list[float]' if annotation is list else 'tuple[float, ...]'}"
    return _SUPPORTED


def _unsupported(annotation: Any, name: str, remedy: str) -> InvalidArgument:
    shown = annotation.__name__ if type(annotation) is type else annotation
    return InvalidArgument(name, f"the annotation {shown}", remedy)


def _from_jaxtyping(annotation: Any, name: str) -> st.SearchStrategy[Any]:
    shape = symbolic(annotation.dim_str, name)
    # A dtype class such as Shaped names no dtypes; Float names every floating one.
    dtypes = annotation.dtypes if isinstance(annotation.dtypes, tuple | list) else ("float64",)
    found = [d for d in ("float64", "float32", "float16", "bfloat16", *COMPONENTS) if d in dtypes]
    if not found:
        raise _unsupported(annotation, name, "gradients need a floating dtype, such as Float or Float32")
    library = _library_of(annotation.array_type)
    if library is None:
        raise _unsupported(annotation, name, "make it an np.ndarray or a torch.Tensor")
    return points(library, shape, found[0])
