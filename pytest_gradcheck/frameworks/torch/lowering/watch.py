"""Where a function stops or loses gradients, from calls in the user's code that are not operations."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from pytest_gradcheck.frameworks.torch.lowering.frames import for_torch_itself
from pytest_gradcheck.frameworks.torch.lowering.record import TapeRecorder
from pytest_gradcheck.frameworks.torch.lowering.tape import Site

_LEAVES = frozenset(["item", "tolist", "numpy", "__float__", "__complex__", "__array__", "__dlpack__"])
_DATA = torch.Tensor.data


class ExitWatch(TorchFunctionMode):
    """Notes, by the names that users write, where a value leaves the graph or a gradient is stopped.

    ATen alone does not tell: ``numpy()`` and ``tolist()`` are not operations, ``no_grad`` is none either, and
    ``detach`` also comes from inside ``autograd.Function.apply``.
    """

    def __init__(self, recorder: TapeRecorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        recorder, kwargs = self._recorder, kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _LEAVES:
            self._see(recorder.escapes, f"Tensor.{name}", args)
            before = len(recorder.escapes)
            result = func(*args, **kwargs)
            del recorder.escapes[before:]  # the _local_scalar_dense inside is the same event
            return result
        if func is torch.nn.functional.gumbel_softmax:
            return self._choice(*args, **kwargs)
        if name == "_set_grad_enabled" and args:
            # A generator under no_grad that was left half-way is closed whenever it is collected.
            if not isinstance(sys.exception(), GeneratorExit) and not for_torch_itself(samples=True):
                recorder.no_grad = args[0] is False
                if recorder.no_grad:
                    recorder.note(recorder.stop_gradients, "torch.no_grad")
            return func(*args, **kwargs)
        of_data = name in ("__get__", "__set__") and getattr(func, "__self__", None) is _DATA
        if of_data and name == "__set__":
            # Autograd keeps the history of what was there before.
            if not for_torch_itself():
                self._see(recorder.stop_gradients, "Tensor.data", args[1:])
            return recorder.rebind(args[0], lambda: func(*args, **kwargs))
        if not (of_data or name in ("detach", "detach_")) or for_torch_itself():
            return func(*args, **kwargs)
        self._see(recorder.stop_gradients, "Tensor.data" if of_data else f"Tensor.{name}", args)
        result = func(*args, **kwargs)
        recorder.stop(result)
        return result

    def _choice(
        self, logits: torch.Tensor, tau: float = 1, hard: bool = False, *rest: Any, **more: Any
    ) -> Any:
        """Make torch's straight-through estimator in the open: no mode sees into torch's own code."""
        soft = torch.nn.functional.gumbel_softmax(logits, tau, False, *rest, **more)
        if not hard:
            return soft
        dim = more.get("dim", rest[1] if len(rest) > 1 else -1)
        chosen = torch.zeros_like(logits).scatter_(dim, soft.max(dim, keepdim=True)[1], 1.0)
        self._see(self._recorder.stop_gradients, "torch.nn.functional.gumbel_softmax", (soft,))
        held = soft.detach()
        self._recorder.stop(held)
        return chosen - held + soft

    def _see(self, sites: list[Site], operation: str, args: tuple[Any, ...]) -> None:
        tensor = args[0] if args else None
        if (
            isinstance(tensor, torch.Tensor)
            and (tensor.is_floating_point() or tensor.is_complex())
            and self._recorder.depends(tensor)
        ):
            self._recorder.note(sites, operation)
