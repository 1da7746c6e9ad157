"""What the user's own words tell of a function beside its operations: where gradients are stopped or lost."""

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

    ATen alone does not tell: ``numpy()`` and ``tolist()`` are no operation, ``no_grad`` is none either, and
    ``detach`` also comes from inside ``autograd.Function.apply``.
    """

    def __init__(self, recorder: TapeRecorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _LEAVES:
            self._see(self._recorder.escapes, f"Tensor.{name}", args)
            quiet = self._recorder.escapes
            before = len(quiet)
            result = func(*args, **(kwargs or {}))
            del quiet[before:]  # the _local_scalar_dense inside is the same event
            return result
        if func is torch.nn.functional.gumbel_softmax:
            return self._choice(*args, **(kwargs or {}))
        if name in ("detach", "detach_"):
            stopped = f"Tensor.{name}"
        elif name == "__get__" and getattr(func, "__self__", None) is _DATA:
            stopped = "Tensor.data"
        elif name == "__set__" and getattr(func, "__self__", None) is _DATA:
            # Autograd keeps the history of what was there before.
            if not for_torch_itself():
                self._see(self._recorder.stop_gradients, "Tensor.data", args[1:])
            self._recorder.rebind(args[0], lambda: func(*args, **(kwargs or {})))
            return None
        elif name == "_set_grad_enabled" and isinstance(sys.exception(), GeneratorExit):
            # A generator under no_grad that was left half-way is closed whenever it is collected.
            return func(*args, **(kwargs or {}))
        elif name == "_set_grad_enabled" and args and args[0] is False:
            stopped = "torch.no_grad"
        elif name == "_set_grad_enabled" and args and not for_torch_itself():
            self._recorder.no_grad = False
            return func(*args, **(kwargs or {}))
        else:
            return func(*args, **(kwargs or {}))
        if for_torch_itself():
            return func(*args, **(kwargs or {}))
        if stopped == "torch.no_grad":
            self._recorder.note(self._recorder.stop_gradients, stopped)
            self._recorder.no_grad = True
            return func(*args, **(kwargs or {}))
        self._see(self._recorder.stop_gradients, stopped, args)
        result = func(*args, **(kwargs or {}))
        self._recorder.stop(result)
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
