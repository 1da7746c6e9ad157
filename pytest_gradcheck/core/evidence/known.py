"""What is known of one derivative at one point: the methods, what became of them, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_gradcheck.core.evidence.jacobian import Jacobian
from pytest_gradcheck.core.evidence.table import Table
from pytest_gradcheck.core.results import Property, Status
from pytest_gradcheck.frameworks.pullback import Pullback
from pytest_gradcheck.methods.roles import DIFFERENCES

if TYPE_CHECKING:
    from pytest_gradcheck.core.orders import Order

#: What became of each method, and why, by its name.
States = dict[str, tuple[Status, str | None]]


class LeftOut(NamedTuple):
    """An exact method that says nothing of a function at a point, and why.

    ``overruled`` says that it is wrong itself, and no fault of the function.
    """

    name: str
    reason: str
    overruled: bool = False


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one derivative at one point.

    ``heard`` are the exact methods that have a say, ``states`` what became of every method. ``jacobian``,
    ``first`` (the table of the first look) and ``table`` (of the closest one) are None before a look.
    ``overruled`` says that the engine was left out because it is wrong itself. ``probed`` is the method whose
    backward the last ``properties`` are of.
    """

    order: Order
    heard: Mapping[str, Pullback]
    states: States
    properties: tuple[Property, ...] = ()
    probed: str | None = None
    jacobian: Jacobian | None = None
    first: Table | None = None
    table: Table | None = None
    overruled: bool = False

    @property
    def differences(self) -> tuple[str, ...]:
        """The difference methods that can run, in the order of the names."""
        return tuple(name for name in DIFFERENCES if self.states.get(name) == (Status.OK, None))

    def looked(self) -> tuple[Table, Jacobian]:
        """Return the table of the closest look, and the Jacobian that it is of."""
        assert self.table is not None
        assert self.jacobian is not None
        return self.table, self.jacobian

    def without(self, left_out: LeftOut) -> Evidence:
        """Return the evidence without a method that is no witness."""
        heard = {name: pullback for name, pullback in self.heard.items() if name != left_out.name}
        states = {**self.states, left_out.name: (Status.UNAVAILABLE, left_out.reason)}
        return replace(self, heard=heard, states=states, overruled=self.overruled or left_out.overruled)

    def spent(self) -> dict[str, tuple[int, int]]:
        """Return how many evaluations, and calls for them, each method has taken so far."""
        costs = self.jacobian.costs if self.jacobian is not None else {}
        out = {name: (cost.evaluations, cost.calls) for name, cost in costs.items()}
        return out | {name: (p.evaluations, p.calls) for name, p in self.heard.items()}
