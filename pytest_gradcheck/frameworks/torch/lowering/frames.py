"""Find out whose code runs: the user's, torch's internals, or the forward of a custom Function."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import torch

_HERE = str(Path(__file__).parent)
_TORCH = str(Path(torch.__file__).parent)
#: torch draws samples under ``no_grad`` there, on behalf of its caller.
_DISTRIBUTIONS = str(Path(torch.distributions.__file__).parent)
_FUNCTION = torch.autograd.Function.apply.__code__.co_filename


def location() -> str:
    """``"path:line"`` of the innermost frame that belongs neither to torch nor to this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith((_HERE, _TORCH)):
            return f"{path}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def for_torch_itself(*, samples: bool = False) -> bool:
    """Whether torch internals stop a gradient, or a custom Function, which has its own backward.

    With ``samples`` a torch distribution does so on behalf of the user.
    """
    frame: FrameType | None = sys._getframe(2)
    # no_grad.__enter__ and its callers belong to the code with the with block or the decorator
    while frame is not None and frame.f_code.co_filename.endswith(("grad_mode.py", "_contextlib.py")):
        frame = frame.f_back
    if frame is None:
        return True
    path = frame.f_code.co_filename
    if path.startswith(_TORCH) and not (samples and path.startswith(_DISTRIBUTIONS)):
        return True
    return in_a_function(frame)


def in_a_function(frame: FrameType | None) -> bool:
    """Whether a frame lies in the forward of a custom Function."""
    while frame is not None:
        if frame.f_code.co_name == "apply" and frame.f_code.co_filename == _FUNCTION:
            return True
        frame = frame.f_back
    return False
