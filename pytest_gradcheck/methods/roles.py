"""The role of each method in a check: on trial, stand-in, part of a witness, or a difference."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_gradcheck.frameworks import registry
from pytest_gradcheck.methods.names import AUTODIFF_METHODS, DIFFERENCE_METHODS, METHOD_NAMES

if TYPE_CHECKING:
    from pytest_gradcheck.frameworks.base import Framework

#: The bundled reference engine.
ENGINE = "reference"

#: A gradient that the user gave by ``gradient=`` or ``vjp=``.
BY_HAND = "user"

#: A slower function that the user trusts to compute the same, given by ``oracle=``.
ORACLE = "oracle"

#: The method that evaluates the function at complex points. It is exact for analytic functions only.
COMPLEX_STEP = "complex_step"

#: The engine's recording in ball arithmetic. It is proven, so it is never a culprit and cannot be outvoted.
EXACT = "exact"

#: The methods that compare function values, in the order of the names.
DIFFERENCES = tuple(name for name in METHOD_NAMES if name in DIFFERENCE_METHODS)

#: The exact methods, in the order in which figures take one as the truth.
MOST_TRUSTED = (EXACT, ORACLE, ENGINE, BY_HAND, *sorted(AUTODIFF_METHODS), COMPLEX_STEP)


#: How messages name the gradients of methods other than a framework's.
_CALLED = {
    BY_HAND: "your gradient",
    ENGINE: "the reference engine's gradient",
    ORACLE: "the oracle's gradient",
    COMPLEX_STEP: "the complex step's gradient",
}


def gradient_of(method: str) -> str:
    """Return how messages name the gradient of a method: ``"autograd's gradient"``, ``"your gradient"``."""
    if method in AUTODIFF_METHODS:
        return f"{registry.named(method).differentiator or method}'s gradient"
    return _CALLED.get(method, f"the gradient by {method}")


@dataclass(frozen=True)
class Roles:
    """The roles of the methods in a check of one function.

    ``own`` is the gradient of the function's framework, None where the framework has none. ``stand_ins`` are
    the gradients of other frameworks, for which NumPy code is one more run of the same code.
    """

    own: str | None
    stand_ins: tuple[str, ...]

    def autodiff(self, heard: Collection[str]) -> str:
        """Return the framework's own gradient, else a stand-in that gave one, else an empty name."""
        return self.own or next((name for name in self.stand_ins if name in heard), "")

    @property
    def replaceable(self) -> tuple[str, ...]:
        """Methods that are left out if they cannot be witnesses, in the order in which this is decided."""
        return (ENGINE, *self.stand_ins, COMPLEX_STEP)

    def is_on_trial(self, name: str) -> bool:
        """Whether this method is under test: if it fails, so does the check."""
        return name in (self.own, BY_HAND)

    def is_idle(self, name: str) -> bool:
        """Whether a method is that of a framework which does not differentiate the function."""
        return name in AUTODIFF_METHODS and name != self.own and name not in self.stand_ins

    def asks_about_own(self, heard: Collection[str]) -> bool:
        """Whether the framework's own gradient is the only one on trial among the methods that gave one."""
        return self.own is not None and BY_HAND not in heard

    def is_engine_alone(self, heard: Collection[str]) -> bool:
        """Whether the reference engine is the only exact method, of code without a gradient of its own."""
        return self.own is None and set(heard) == {ENGINE}

    def witness(self, name: str) -> str:
        """Name the witness that a method belongs to: methods of one witness do not confirm each other.

        All differences see the same function values; with an oracle its values, which confirm its derivative.
        The engine and a stand-in run the same NumPy code under the same rules of differentiation. A vote
        counts witnesses.
        """
        if name in DIFFERENCE_METHODS:
            return "differences"
        return ENGINE if name in self.stand_ins else name


def roles_of(framework: Framework, asked: Iterable[str]) -> Roles:
    """Return the roles of the requested methods in a check of a function of this framework."""
    if framework.differentiates:
        return Roles(framework.name, ())
    return Roles(None, tuple(name for name in asked if name in registry.stand_ins()))
