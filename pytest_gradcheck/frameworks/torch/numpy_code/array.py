"""The entries of an array that NumPy's functions take, which are a torch tensor's.

A view is the memory of its base and the positions in it that the view consists of. What only rearranges
entries (indexing, ``reshape``, ``flip``, ``repeat``, …) is done by NumPy on the positions, and torch gathers.
Which result is a view, and of what, is thus what NumPy says.

Assignments replace the tensor behind an array and all of its views by a new one. Nothing that autograd has
saved is ever changed.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch

from pytest_gradcheck.errors import Unavailable
from pytest_gradcheck.frameworks.torch.private import numpy_on_tensors
from reference_engine.leaving import out_of_graph

Positions = np.ndarray[Any, np.dtype[np.intp]]

#: torch's own NumPy on tensors, which is untyped.
tnp: Any = numpy_on_tensors()


class Entries:
    """An array's entries, without NumPy's functions of them.

    ``memory`` holds one tensor, and is shared with views; ``positions`` is None for all of it, in order.
    """

    __slots__ = ("_current", "_memory", "_positions", "is_scalar")

    #: The class of the arrays that are made, which knows NumPy's functions.
    kind: ClassVar[type[Entries]]

    def __init__(
        self, memory: list[torch.Tensor], positions: Positions | None = None, *, scalar: bool = False
    ) -> None:
        self._memory = memory
        self._positions = positions
        self.is_scalar = scalar
        self._current: tuple[torch.Tensor, torch.Tensor] | None = None

    def __init_subclass__(cls) -> None:
        Entries.kind = cls

    @property
    def tensor(self) -> torch.Tensor:
        """The entries as they are now, shape as the array's."""
        (base,) = self._memory
        if self._positions is None:
            return base
        if self._current is None or self._current[0] is not base:
            self._current = (base, _gathered(base, self._positions))
        return self._current[1]

    # -- what it is --------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of entries along each axis."""
        return tuple(self._memory[0].shape) if self._positions is None else self._positions.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, as NumPy's."""
        return _numpy_dtype(self._memory[0].dtype)

    @property
    def itemsize(self) -> int:
        """Bytes per entry."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all entries."""
        return self.size * self.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"TorchArray({self.tensor.detach().numpy()!r})"

    def __format__(self, spec: str) -> str:
        # Printing does not feed a result.
        return format(self.tensor.detach().numpy()[()], spec)

    def __bool__(self) -> bool:
        return bool(self.tensor.detach().numpy())

    # -- out of the graph --------------------------------------------------------------------------

    def __float__(self) -> float:
        return float(self._value("float"))

    def __int__(self) -> int:
        return int(self._value("int"))

    def __complex__(self) -> complex:
        return complex(self._value("complex"))

    def __index__(self) -> int:
        return operator.index(self._value("operator.index"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._value("numpy.asarray"), dtype=dtype)

    def item(self, *args: Any) -> Any:
        """Return an entry as a Python number, if it does not depend on an input."""
        return self._value("item").item(*args)

    def tolist(self) -> Any:
        """Return the entries as Python numbers, if they do not depend on an input."""
        return self._value("tolist").tolist()

    def _value(self, how: str) -> np.ndarray[Any, Any]:
        tensor = self.tensor
        if tensor.requires_grad:
            raise Unavailable(out_of_graph(how, sys._getframe(2), ("numpy", "reference_engine")))
        return tensor.numpy().copy()

    # -- entries -----------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        positions = self.positions
        return self.taken(positions, positions[plain_index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.is_scalar:
            raise TypeError(f"'numpy.{self.dtype.name}' object does not support item assignment")
        self._write(np.asarray(self.positions[plain_index(index)]), value)

    @property
    def positions(self) -> Positions:
        """Where in the memory the array's entries are, shape as the array's."""
        if self._positions is not None:
            return self._positions
        return np.arange(self.size, dtype=np.intp).reshape(self.shape)

    def taken(self, own: Positions, positions: Any) -> Entries:
        """Return the entries at positions that NumPy made of this array's own: a view where it made one."""
        (base,) = self._memory
        if not isinstance(positions, np.ndarray):
            return self.kind([_gathered(base, np.asarray(positions))], scalar=True)
        if np.may_share_memory(own, positions) and not self.is_scalar:
            return self.kind(self._memory, positions)
        return self.kind([_gathered(base, positions)])

    def _write(self, positions: Positions, value: Any) -> None:
        if not self.positions.flags.writeable:
            raise ValueError("assignment destination is read-only")
        (base,) = self._memory
        source = to_tensor(value)
        if source.requires_grad and not (base.is_floating_point() or base.is_complex()):
            raise Unavailable(f"assigning to an array of {self.dtype} takes the value out of the graph")
        if source.is_complex() and not base.is_complex():
            raise Unavailable(f"assigning complex numbers to an array of {self.dtype}")
        while source.ndim > positions.ndim and source.shape[0] == 1:
            source = source[0]
        entries = source.to(base.dtype).broadcast_to(positions.shape).reshape(-1)
        flat = positions.reshape(-1)
        # Of several values for one entry the last one stays, as in NumPy; torch makes no such promise.
        kept, last = np.unique(flat[::-1], return_index=True)
        if kept.size < flat.size:
            entries, flat = entries[torch.from_numpy(flat.size - 1 - last)], kept
        target = base.reshape(-1).index_put((torch.from_numpy(np.array(flat)),), entries)
        self._memory[0] = target.reshape(base.shape)

    def copy(self, order: str = "C") -> Any:
        """Return a copy, which assignments to this array do not change."""
        return self.kind([self.tensor], scalar=self.is_scalar)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def astype(self, dtype: Any, *args: Any, copy: bool = True, **kwargs: Any) -> Any:
        """Return the array in another dtype."""
        wanted = np.dtype(dtype)
        if wanted == self.dtype:
            return self.copy() if copy else self
        return self.kind([self.tensor.to(torch_dtype(wanted))], scalar=self.is_scalar)

    def flatten(self, order: str = "C") -> Any:
        """Return a copy in one dimension."""
        positions: Any = self.positions
        return self.taken(positions, positions.flatten(order))


# -- between NumPy and torch ---------------------------------------------------------------------------


@functools.cache
def _numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    return np.dtype(str(dtype).removeprefix("torch."))


def torch_dtype(dtype: Any) -> torch.dtype:
    """Return torch's dtype for one of NumPy's."""
    name = np.dtype(dtype).name
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise Unavailable(f"torch: no counterpart of the dtype {name}")
    return found


def constant(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Return a copy of a NumPy array as a tensor."""
    dtype = torch_dtype(array.dtype)
    # torch takes neither read-only arrays nor negative strides.
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C")).to(dtype)


def _gathered(base: torch.Tensor, positions: Positions) -> torch.Tensor:
    return base.reshape(-1)[torch.from_numpy(np.array(positions))]


def plain_index(index: Any) -> Any:
    """Return an index with arrays of this module as NumPy's."""
    if isinstance(index, tuple):
        return tuple(plain_index(part) for part in index)
    if isinstance(index, slice):
        return slice(*(plain_index(part) for part in (index.start, index.stop, index.step)))
    if isinstance(index, Entries):
        if index.dtype.kind not in "biu":
            raise IndexError("arrays used as indices must be of integer (or boolean) type")
        return index.tensor.numpy()[()]
    if isinstance(index, list) and any(isinstance(part, Entries | list) for part in index):
        return [plain_index(part) for part in index]
    return index


def to_torch(value: Any) -> Any:
    """Return an argument as torch and ``torch._numpy`` take it."""
    if isinstance(value, Entries):
        return value.tensor
    if isinstance(value, np.ndarray):
        return constant(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple) and any(has_arrays(v) for v in value):
        # Otherwise torch._numpy would read numbers out of the tensors.
        return [to_tensor(v) for v in value]
    if isinstance(value, np.dtype) or (
        isinstance(value, type) and (value in (bool, int, float, complex) or issubclass(value, np.generic))
    ):
        return tnp.dtype(np.dtype(value).name)
    return value


def has_arrays(value: Any) -> bool:
    """Whether a value is an array or has one in its lists and tuples."""
    if isinstance(value, list | tuple):
        return any(has_arrays(v) for v in value)
    return isinstance(value, Entries | np.ndarray | torch.Tensor)


def to_tensor(value: Any) -> torch.Tensor:
    """Return an argument that stands for one array as a tensor, nested lists of arrays too."""
    if isinstance(value, list | tuple) and any(has_arrays(v) for v in value):
        parts = [to_tensor(v) for v in value]
        dtype = functools.reduce(torch.promote_types, [part.dtype for part in parts])
        return torch.stack([part.to(dtype) for part in parts])
    lowered = to_torch(value)
    return lowered if isinstance(lowered, torch.Tensor) else constant(np.asarray(lowered))


def to_array(value: Any) -> Any:
    """Return a result of torch or ``torch._numpy`` as the caller expects it."""
    if isinstance(value, tnp.ndarray):
        value = value.tensor
    if isinstance(value, torch.Tensor):
        # What torch marks as conjugated or negated (a part of an inverse transform) NumPy cannot read.
        return Entries.kind([value.resolve_conj().resolve_neg()], scalar=value.ndim == 0)
    if isinstance(value, list | tuple):
        parts = [to_array(v) for v in value]
        return parts if isinstance(value, list) else tuple(parts)
    return value
