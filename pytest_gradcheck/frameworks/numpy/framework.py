"""NumPy and plain Python as a framework: no gradients of their own, and they run on the reference engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pytest_gradcheck.frameworks.base import Framework, FunctionAtPoint, Lowering, kind_of
from pytest_gradcheck.frameworks.numpy import layouts, source
from pytest_gradcheck.frameworks.pullback import Program
from pytest_gradcheck.frameworks.registry import names

Array = np.ndarray[Any, Any]


class NumpyFramework(Framework):
    """NumPy arrays, NumPy scalars and Python floats and complex numbers."""

    name = "numpy"
    mixes_precisions = True
    drawn_dtypes = ("float16", "float32", "float64", "complex64", "complex128")
    drawn_layouts = layouts.DRAWN

    # -- leaves --------------------------------------------------------------------------------------

    def owns(self, value: Any) -> bool:
        """Whether a value is a number or an array; see `Framework.owns`."""
        return isinstance(value, np.ndarray | np.generic | float | complex)

    def dtype_of(self, leaf: Any) -> str:
        """Return ``float64`` for a Python float too; see `Framework.dtype_of`."""
        return np.asarray(leaf).dtype.name

    def to_numpy(self, leaf: Any) -> Array:
        """Return an array as it is; see `Framework.to_numpy`."""
        return np.asarray(leaf)

    def like(self, array: Array, original: Any, *, double: bool) -> Any:
        """Return an array, a NumPy scalar or a Python number; see `Framework.like`."""
        if isinstance(original, np.ndarray):
            kept = array if double else array.astype(original.dtype)
            return kept if original.flags.c_contiguous else layouts.laid_out_like(kept, original)
        scalar = array[()]
        if isinstance(original, np.generic):
            return scalar if double else original.dtype.type(scalar)
        return scalar.item()

    def copy(self, leaf: Any, *, double: bool) -> Any:
        """Return a copy of the same dtype; see `Framework.copy` and `mixes_precisions`."""
        if not isinstance(leaf, np.ndarray):
            return leaf
        return leaf.copy() if leaf.flags.c_contiguous else layouts.laid_out_like(leaf, leaf)

    def shape_of(self, leaf: Any) -> tuple[int, ...]:
        """Return ``()`` for a number; see `Framework.shape_of`."""
        return np.shape(leaf)

    def rounded(self, array: Array, original: Any) -> Array:
        """Go by way of the original's dtype; see `Framework.rounded`."""
        return array.astype(np.asarray(original).dtype).astype(array.dtype)

    def strides_if_scattered(self, leaf: Any) -> tuple[int, ...] | None:
        """Return the strides of an array; see `Framework.strides_if_scattered`."""
        if not isinstance(leaf, np.ndarray) or leaf.flags.c_contiguous:
            return None
        return tuple(stride // leaf.itemsize for stride in leaf.strides)

    def contiguous_copy(self, leaf: Any) -> Any:
        """Return a number as it is; see `Framework.contiguous_copy`."""
        return leaf.copy() if isinstance(leaf, np.ndarray) else leaf

    def why_constants(self, leaves: Sequence[Any], in_module: Sequence[bool]) -> list[str | None]:
        """Take floating arrays, floats and complex numbers; see `Framework.why_constants`."""
        return [self.why_no_derivative(leaf, "is not differentiable") for leaf in leaves]

    def why_no_derivative(self, leaf: Any, what: str = "has no derivative") -> str | None:
        """Take floating arrays, floats and complex numbers; see `Framework.why_no_derivative`."""
        if isinstance(leaf, np.ndarray | np.generic):
            return None if leaf.dtype.kind in "fc" else f"dtype {leaf.dtype} {what}"
        return None if isinstance(leaf, float | complex) else f"{kind_of(leaf)} {what}"

    def fingerprint(self, leaf: Any) -> bytes | None:
        """Return the bytes of an array and the representation of a number; see `Framework.fingerprint`."""
        if not isinstance(leaf, np.ndarray | np.generic):
            # Python's own representation of a float is exact; -0.0 and 0.0 differ in it.
            return f"{type(leaf)} {leaf!r}".encode()
        array = np.asarray(leaf)
        if array.dtype.hasobject:
            return None
        return f"{type(leaf)} {array.dtype} {array.shape} {array.strides} ".encode() + array.tobytes()

    def source_of(self, value: Any, inner: Callable[[Any], str]) -> str | None:
        """Return the source of a number or an array; see `Framework.source_of`."""
        return source.of_leaf(value)

    def remedy(self, error: Exception) -> str | None:
        """Translate a method of tensors; see `Framework.remedy`."""
        from reference_engine.absent import in_place_of

        if not isinstance(error, AttributeError) or not self.owns(error.obj):
            return None
        instead = in_place_of(error.name or "")
        kind = "NumPy arrays" if isinstance(error.obj, np.ndarray) else "numbers"
        return instead and f"{kind} have no {error.name}: for x.{error.name} write {instead}"

    # -- strategies ------------------------------------------------------------------------------------

    def is_array_type(self, annotation: Any) -> bool:
        """Whether it is ``np.ndarray``; see `Framework.is_array_type`."""
        return annotation is np.ndarray

    def from_drawn(self, array: Array, dtype: str, layout: str, **options: Any) -> Any:
        """Return the array itself in a layout; see `Framework.from_drawn`."""
        return layouts.laid_out(array.astype(dtype, copy=False), layout)

    # -- derivatives ---------------------------------------------------------------------------------

    def lower(self, function: FunctionAtPoint, *, hold_stops: bool = False) -> Lowering:
        """Return the function itself: NumPy's functions dispatch to the engine; see `Framework.lower`."""
        # Only now: without the engine among the methods nothing needs it.
        import reference_engine

        seen: Any = None

        def run(*leaves: Any) -> Sequence[Any]:
            nonlocal seen
            raised = None
            if seen is None:
                try:
                    return function.call(leaves, double=True)
                except Exception as error:
                    if not _is_refused(error):
                        raise
                    # Only where a Tensor was asked for a number, which most code never does.
                    from reference_engine.constructors import Seen

                    seen, raised = Seen(_is_refused, ["pytest_gradcheck", *names()]), error
            like = reference_engine.Tensor(0.0)
            return list(seen.run(like, lambda: function.call(leaves, double=True), raised))

        return Lowering(Program(run, function.inputs, function.outputs))


def _is_refused(error: BaseException) -> bool:
    """Whether a Tensor was asked for a number; NumPy hides that behind an error of its own."""
    import reference_engine

    return any(isinstance(e, reference_engine.OutOfGraphError) for e in (error, error.__cause__))
