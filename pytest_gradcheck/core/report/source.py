"""Values as Python source that gives them back, to the last bit."""

from __future__ import annotations

import base64
import cmath
import dataclasses
import enum
import functools
import math
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

#: Arrays of up to so many entries are written out, larger ones if nothing shorter is exact.
WRITTEN_OUT = 64

#: No list of more entries is tried: it would be longer than the compressed bytes.
_LISTED = 4096


def to_source(value: Any, *, max_length: int | None = None) -> str:
    """Return Python source that evaluates to the same value, bit for bit.

    The source needs ``import numpy as np`` and, for tensors, ``import torch``, as well as the names of
    the user's own classes (dataclasses, named tuples, enums). Supported are Python's numbers (NaN and
    infinities included), strings, bytes, None, tuples, lists, dicts, sets, slices and ranges, NumPy
    scalars and arrays, dtypes, and torch tensors (with ``requires_grad`` and device), nested in any way.

    An array is written as a list, as a constant with exceptions, or as compressed bytes: the shortest
    that was seen to give back every bit. Of layouts in memory Fortran order, gaps of one entry between
    entries, a last axis that runs backwards and a first row that is repeated are kept, no others.
    Everything else, and what cannot be given back exactly, becomes its ``repr``.

    With ``max_length`` a longer source is replaced by a summary in angle brackets, which is no source:
    ``<ndarray float64 (100, 3)>``.
    """
    text = _source(value, ())
    if max_length is not None and len(text) > max_length:
        return _summary(value)
    return text


def _source(value: Any, parents: tuple[int, ...]) -> str:
    if id(value) in parents:
        return repr(value)
    inner = functools.partial(_source, parents=(*parents, id(value)))
    kind = type(value)
    if kind is int:
        return _int(value)
    if kind in _PLAIN:
        return repr(value)
    if kind is float:
        return _float(value)
    if kind is complex:
        return _complex(value)
    if kind in (list, set, frozenset, dict, tuple):
        return _container(value, inner)
    if isinstance(value, enum.Enum):
        member = f".{value.name}" if str(value.name).isidentifier() else f"({inner(value.value)})"
        return f"{kind.__qualname__}{member}"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _call(kind.__qualname__, ((f, getattr(value, f)) for f in value._fields), inner)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if f.init]
        return _call(kind.__qualname__, ((f, getattr(value, f)) for f in fields), inner)
    if isinstance(value, np.dtype):
        return f"np.{value!r}"
    if isinstance(value, np.generic):
        return _numpy_scalar(value)
    if kind is np.ndarray:
        return _array_in_layout(value) or repr(value)
    if isinstance(value, type):
        module = {"builtins": "", "numpy": "np."}.get(value.__module__, f"{value.__module__}.")
        return f"{module}{value.__qualname__}"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _tensor(value)
    if torch is not None and isinstance(value, torch.nn.Module) and hasattr(value, "_gradcheck_made"):
        return _module(value, inner)
    return repr(value)


_PLAIN = frozenset({bool, str, bytes, type(None), type(...), slice, range, bytearray, type(NotImplemented)})


def _container(value: Any, inner: Callable[[Any], str]) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{inner(k)}: {inner(v)}" for k, v in value.items()) + "}"
    parts = ", ".join(inner(v) for v in value)
    if isinstance(value, tuple):
        return f"({parts},)" if len(value) == 1 else f"({parts})"
    if isinstance(value, list):
        return f"[{parts}]"
    if isinstance(value, frozenset):
        return f"frozenset({{{parts}}})" if value else "frozenset()"
    return f"{{{parts}}}" if value else "set()"


def _call(name: str, fields: Iterator[tuple[str, Any]], inner: Callable[[Any], str]) -> str:
    return f"{name}({', '.join(f'{key}={inner(value)}' for key, value in fields)})"


def _module(value: Any, inner: Callable[[Any], str]) -> str:
    """Make the module again, as the strategy did, and fill in its parameters and buffers."""
    args, kwargs = value._gradcheck_made
    kind = type(value)
    name = (
        f"{kind.__module__}.{kind.__qualname__}"
        if kind.__module__.startswith("torch.")
        else kind.__qualname__
    )
    given = [*map(inner, args), *(f"{key}={inner(part)}" for key, part in kwargs.items())]
    double = "" if "dtype" in kwargs else ".to(torch.float64)"
    state = inner({key: tensor.detach() for key, tensor in value.state_dict().items()})
    return f"(lambda m: (m.load_state_dict({state}), m)[1])({name}({', '.join(given)}){double})"


def _summary(value: Any) -> str:
    kind = type(value).__name__
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"<{kind} {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}>"
    try:
        return f"<{kind} of {len(value)}>"
    except TypeError:
        return f"<{kind}>"


# -- numbers ---------------------------------------------------------------------------------------


def _int(value: int) -> str:
    try:
        return repr(value)
    except ValueError:
        # Python writes out no more than some thousands of decimal digits.
        return hex(value)


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    if math.isinf(value):
        return "float('inf')" if value > 0 else "-float('inf')"
    text = "-float('nan')" if math.copysign(1.0, value) < 0 else "float('nan')"
    if struct.pack("<d", eval(text)) == struct.pack("<d", value):
        return text
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return f"np.uint64({bits:#x}).view(np.float64).item()"


def _complex(value: complex) -> str:
    text = repr(value)
    # repr loses the sign of zero parts: complex(-0.0, 1.0) reads -0+1j, which is 0+1j.
    if cmath.isfinite(value) and _bits(eval(text)) == _bits(value):
        return text
    return f"complex({_float(value.real)}, {_float(value.imag)})"


def _bits(value: complex) -> bytes:
    return struct.pack("<dd", value.real, value.imag)


def _numpy_scalar(value: np.generic) -> str:
    array = np.asarray(value)
    if value.dtype.kind in "biu":
        return f"np.{value.dtype.name.replace('bool', 'bool_')}({value.item()!r})"
    if value.dtype.kind in "fc" and value.dtype.isnative:
        name = f"np.{value.dtype.name}"
        for text in _entry_texts(array.reshape(1)):
            source = f"{name}({text[0]})"
            if _gives(source, array, type(value)):
                return source
        exact = _array(array)
        return f"{exact}[()]" if exact else repr(value)
    return repr(value)


# -- arrays ----------------------------------------------------------------------------------------


def _array_in_layout(array: np.ndarray[Any, Any]) -> str | None:
    """Return source for an array, in its own layout where there is a short way to write that."""
    source = _array(array)
    if source is None or array.flags.c_contiguous or array.size < 2:
        return source
    if array.flags.f_contiguous:
        return f"np.asfortranarray({source})"
    if array[..., ::-1].flags.c_contiguous:
        last = "::-1" if array.ndim == 1 else "..., ::-1"
        return f"{_array(array[..., ::-1])}[{last}]"
    wide = np.repeat(array, 2, -1)[..., ::2]
    return f"np.repeat({source}, 2, -1)[..., ::2]" if wide.strides == array.strides else source


def _array(array: np.ndarray[Any, Any]) -> str | None:
    """Return the shortest source that gives an array back; None if there is none."""
    if array.dtype.kind not in "biufcSU":
        return None
    flat = np.ascontiguousarray(array).reshape(-1)
    best = _shortest(_array_sources(flat, array.shape), lambda text: _gives(text, array, np.ndarray))
    if (best is None or array.size > WRITTEN_OUT) and array.dtype.kind not in "SU":
        template = "np.frombuffer({}, dtype={})"
        packed = f"{_packed(flat.tobytes(), template, repr(array.dtype.str), array.shape)}.copy()"
        if best is None or len(packed) < len(best):
            return packed
    return best


def _shortest(sources: Iterator[str], exact: Callable[[str], bool]) -> str | None:
    best: str | None = None
    for source in sources:
        if (best is None or len(source) < len(best)) and exact(source):
            best = source
    return best


def _array_sources(flat: np.ndarray[Any, Any], shape: tuple[int, ...]) -> Iterator[str]:
    """Yield readable ways to write an array, each exact for some arrays only."""
    kind = flat.dtype.kind
    dtype = _dtype_source(flat.dtype)
    default = flat.dtype in (np.dtype(np.float64), np.dtype(np.complex128))
    if flat.size == 0:
        yield f"np.zeros({_shape_source(shape)}{'' if flat.dtype == np.float64 else f', dtype={dtype}'})"
        return
    if flat.size <= _LISTED:
        for texts in _entry_texts(flat):
            listed = _nested(texts, shape)
            # Short where NumPy infers the dtype from the entries.
            if kind in "biSU":
                yield f"np.array({listed})"
            yield f"np.array({listed}{'' if default else f', dtype={dtype}'})"
    if kind not in "SU" and flat.size >= 4:
        yield from _filled(flat, shape, dtype)


def _filled(flat: np.ndarray[Any, Any], shape: tuple[int, ...], dtype: str) -> Iterator[str]:
    """Yield a constant array with few exceptions."""
    position, exceptions = _commonest(flat)
    if exceptions.size * 4 > flat.size:
        return
    for texts in _entry_texts(flat[position : position + 1]):
        text = texts[0]
        short = "" if dtype == "np.float64" else f", dtype={dtype}"
        if text in ("0.0", "0", "0j", "False"):
            base = f"np.zeros({_shape_source(shape)}{short})"
        elif flat.dtype.kind in "biu" or flat.dtype in (np.dtype(np.float64), np.dtype(np.complex128)):
            base = f"np.full({_shape_source(shape)}, {text}{'' if flat.dtype.kind in 'bfc' else short})"
        else:
            base = f"np.full({_shape_source(shape)}, {text}, dtype={dtype})"
        if exceptions.size == 0:
            yield base
            continue
        for values in _entry_texts(flat[exceptions]):
            put = f"a.put({exceptions.tolist()}, [{', '.join(values)}])"
            yield f"(lambda a: ({put}, a)[1])({base})"


def _commonest(flat: np.ndarray[Any, Any]) -> tuple[int, np.ndarray[Any, Any]]:
    """Return a position of the commonest entry, by its bits, and the positions of all others."""
    keys = np.ascontiguousarray(flat).view(np.dtype((np.void, flat.dtype.itemsize)))
    _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    winner = int(np.argmax(counts))
    return int(first[winner]), np.flatnonzero(inverse.reshape(-1) != winner)


def _entry_texts(flat: np.ndarray[Any, Any]) -> Iterator[list[str]]:
    """Yield the entries of an array as texts, first short ones that may not be exact, then long ones."""
    kind = flat.dtype.kind
    if kind == "f":
        # The shortest digits that tell a value from its neighbours in the array's own dtype.
        yield [_array_float(v) for v in flat]
        if flat.dtype.itemsize < 8:
            yield [_array_float(float(v)) for v in flat]
    elif kind == "c":
        yield [_complex(complex(v)) for v in flat]
    else:
        yield [repr(v) for v in flat.tolist()]


def _array_float(value: Any) -> str:
    if np.isfinite(value):
        return str(value)
    name = "np.nan" if np.isnan(value) else "np.inf"
    return f"-{name}" if np.signbit(value) else name


def _nested(texts: list[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return texts[0]
    if len(shape) == 1:
        return "[" + ", ".join(texts) + "]"
    step = len(texts) // shape[0]
    rows = (_nested(texts[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0]))
    return "[" + ", ".join(rows) + "]"


def _packed(data: bytes, template: str, dtype: str, shape: tuple[int, ...]) -> str:
    text = base64.b85encode(zlib.compress(data, 9)).decode()
    unpacked = f"__import__('zlib').decompress(__import__('base64').b85decode({text!r}))"
    source = template.format(unpacked, dtype)
    return source if len(shape) == 1 else f"{source}.reshape({_shape_source(shape)})"


def _dtype_source(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "bool"
    return f"np.{dtype.name}" if dtype.isnative and dtype.kind in "iufc" else repr(dtype.str)


def _shape_source(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(tuple(shape))


def _gives(source: str, array: np.ndarray[Any, Any], kind: type) -> bool:
    """Whether a source evaluates to a value of a type, with the dtype, shape and bits of an array."""
    try:
        with np.errstate(all="ignore"):
            value = eval(source, {"np": np})
    except (ValueError, TypeError, OverflowError, SyntaxError, MemoryError):
        return False
    if type(value) is not kind:
        return False
    found = np.asarray(value)
    return (
        found.dtype == array.dtype
        and found.shape == array.shape
        and _significant(found) == _significant(array)
    )


def _significant(array: np.ndarray[Any, Any]) -> bytes:
    """Return the bytes of an array, less the ones that pad the 80 bits of a long double."""
    data = np.ascontiguousarray(array)
    if data.dtype.kind not in "fc" or np.finfo(data.dtype).nmant != 63:
        return data.tobytes()
    parts = data.reshape(-1).view(np.longdouble).view(np.uint8).reshape(-1, np.dtype(np.longdouble).itemsize)
    return parts[:, :10].tobytes()


# -- tensors ---------------------------------------------------------------------------------------


def _tensor(tensor: Any) -> str:
    torch = sys.modules["torch"]
    parameter = type(tensor) is torch.nn.Parameter
    if type(tensor) is not torch.Tensor and not parameter:
        return repr(tensor)
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        return repr(tensor)
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    flat = plain.reshape(-1)
    best = _shortest(_tensor_sources(flat, tuple(plain.shape)), lambda text: _gives_tensor(text, plain))
    if best is None or flat.numel() > WRITTEN_OUT:
        template = "torch.frombuffer(bytearray({}), dtype={})"
        packed = _packed(_tensor_bytes(flat).tobytes(), template, str(plain.dtype), tuple(plain.shape))
        if best is None or len(packed) < len(best):
            best = packed
    if tensor.device.type != "cpu":
        best += f".to({str(tensor.device)!r})"
    best = _tensor_in_layout(best, tensor)
    if parameter:
        return f"torch.nn.Parameter({best}{'' if tensor.requires_grad else ', requires_grad=False'})"
    if not tensor.requires_grad:
        return best
    # The common case reads best with the keyword; its own parenthesis is the only one.
    if best.startswith("torch.tensor(") and best.count("(") == 1:
        return f"{best[:-1]}, requires_grad=True)"
    return f"{best}.requires_grad_()"


def _tensor_in_layout(source: str, tensor: Any) -> str:
    """Return source for a tensor in its own layout, made of the one for its entries."""
    if tensor.is_contiguous() or tensor.numel() < 2:
        return source
    first = tensor[:1]
    if first.contiguous().expand(tensor.shape).stride() == tensor.stride():
        return f"{_tensor(first.detach().contiguous())}.expand({_shape_source(tuple(tensor.shape))})"
    axes = tuple(range(tensor.ndim))[::-1]
    if tensor.permute(axes).is_contiguous():
        turned = ".mT" if tensor.ndim == 2 else f".permute{axes}"
        return f"{source}{turned}.contiguous(){turned}"
    if tensor.repeat_interleave(2, -1)[..., ::2].stride() == tensor.stride():
        return f"{source}.repeat_interleave(2, -1)[..., ::2]"
    return source


def _tensor_bytes(flat: Any) -> np.ndarray[Any, Any]:
    torch = sys.modules["torch"]
    real = torch.view_as_real(flat) if flat.dtype.is_complex else flat
    if real.numel() == 0:
        return np.zeros(0, dtype=np.uint8)
    # A copy, because one entry alone may have any stride, and only a stride of 1 can be seen as bytes.
    data: np.ndarray[Any, Any] = (
        real.reshape(-1).clone(memory_format=torch.contiguous_format).view(torch.uint8).numpy()
    )
    return data


def _tensor_sources(flat: Any, shape: tuple[int, ...]) -> Iterator[str]:
    """Yield readable ways to write a tensor, each exact for some tensors only."""
    torch = sys.modules["torch"]
    count = flat.numel()
    # The default floating dtype is the program's choice; only the other two can be left out.
    dtype = f", dtype={flat.dtype}"
    short = "" if flat.dtype in (torch.int64, torch.bool) else dtype
    if count == 0:
        yield f"torch.zeros({_shape_source(shape)}{dtype})"
        return
    if count <= _LISTED:
        for texts in _tensor_texts(flat):
            yield f"torch.tensor({_nested(texts, shape)}{short})"
    if count < 4:
        return
    width = flat.element_size()
    position, exceptions = _commonest(_tensor_bytes(flat).view(np.dtype((np.void, width))))
    if exceptions.size * 4 > count:
        return
    for texts in _tensor_texts(flat[position : position + 1]):
        sizes = tuple(shape) if exceptions.size == 0 else (count,)
        base = f"torch.full({sizes}, {texts[0]}{dtype})"
        if texts[0] in ("0.0", "0", "0j", "False"):
            base = f"torch.zeros({_shape_source(sizes)}{dtype})"
        if exceptions.size == 0:
            yield base
            continue
        for values in _tensor_texts(flat[exceptions.tolist()]):
            put = f"torch.tensor({exceptions.tolist()}), torch.tensor([{', '.join(values)}]{short})"
            reshape = "" if len(shape) == 1 else f".reshape({_shape_source(shape)})"
            yield f"{base}.scatter(0, {put}){reshape}"


def _tensor_texts(flat: Any) -> Iterator[list[str]]:
    torch = sys.modules["torch"]
    if flat.dtype.is_complex:
        yield [_complex(v) for v in flat.tolist()]
    elif flat.dtype.is_floating_point:
        wide = flat.double()
        if flat.dtype != torch.float64:
            yield _few_digits(flat, wide)
        yield [_float(v) for v in wide.tolist()]
    else:
        yield [repr(v) for v in flat.tolist()]


def _few_digits(flat: Any, wide: Any) -> list[str]:
    """Return for each entry the fewest digits that give it back in its own dtype."""
    torch = sys.modules["torch"]
    found = [_float(v) for v in wide.tolist()]
    open_ = [i for i, v in enumerate(wide.tolist()) if math.isfinite(v)]
    for digits in range(1, 10):
        if not open_:
            break
        texts = [repr(float(f"{wide[i].item():.{digits}g}")) for i in open_]
        back = torch.tensor([float(t) for t in texts], dtype=flat.dtype).double().tolist()
        hits = {i: t for i, t, b in zip(open_, texts, back, strict=True) if b == wide[i].item()}
        for i, text in hits.items():
            found[i] = text
        open_ = [i for i in open_ if i not in hits]
    return found


def _gives_tensor(source: str, tensor: Any) -> bool:
    torch = sys.modules["torch"]
    try:
        value = eval(source, {"np": np, "torch": torch})
    except (ValueError, TypeError, OverflowError, RuntimeError, SyntaxError, MemoryError):
        return False
    if value.dtype != tensor.dtype or value.shape != tensor.shape:
        return False
    ours, theirs = (_tensor_bytes(t.contiguous().reshape(-1)) for t in (value, tensor))
    return bool(np.array_equal(ours, theirs))
