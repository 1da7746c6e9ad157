"""The names of the methods, and the kind of each.

The plugin reads them when pytest starts. So nothing is imported here, and the installed frameworks are looked
up when a name that depends on them is first asked for.
"""

from __future__ import annotations

DIFFERENCE_METHODS = frozenset({"central", "forward"})

#: The forms of a derivative written by hand, as the options that give them: of the function, and of its
#: gradient. All are the method ``"user"``.
FIRST_FORMS = ("gradient", "vjp", "jacobian", "jvp")
SECOND_FORMS = ("hessian", "hvp")

#: The attribute of a wrapped function that holds the user's function.
WRITTEN_AS = "_gradcheck_written_as"

#: Each framework that is installed, NumPy aside, is a method that is called like the framework. Whether it
#: differentiates is known only when its library is imported; one that does not is unavailable.
AUTODIFF_METHODS: tuple[str, ...]
#: Every method, in the order in which results list them.
METHOD_NAMES: tuple[str, ...]
#: The methods that run unless others are named. Not every function accepts the complex step's complex
#: numbers, and each input costs a call. The proven derivative runs on doubt or failure.
DEFAULT_METHODS: tuple[str, ...]


def __getattr__(name: str) -> tuple[str, ...]:
    if name not in ("AUTODIFF_METHODS", "METHOD_NAMES", "DEFAULT_METHODS"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # To scan the entry points takes milliseconds, which a session without a check does not pay.
    from pytest_gradcheck.frameworks import registry

    autodiff = tuple(framework for framework in registry.names() if framework != "numpy")
    names = ("central", "forward", "complex_step", "reference", *autodiff, "user", "oracle", "exact")
    globals().update(
        AUTODIFF_METHODS=autodiff,
        METHOD_NAMES=names,
        DEFAULT_METHODS=tuple(method for method in names if method not in ("complex_step", "exact")),
    )
    found: tuple[str, ...] = globals()[name]
    return found
