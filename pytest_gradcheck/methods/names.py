"""The methods by name, and of which kind each is: all that pytest has to know when it starts."""

from __future__ import annotations

METHOD_NAMES = ("central", "forward", "complex_step", "reference", "torch", "user")
#: The methods that run unasked: not every function bears complex numbers, and each input costs a call.
DEFAULT_METHODS = tuple(name for name in METHOD_NAMES if name != "complex_step")
DIFFERENCE_METHODS = frozenset({"central", "forward"})
#: Those that are a framework's own gradient, and are called like the framework.
AUTODIFF_METHODS = frozenset({"torch"})
