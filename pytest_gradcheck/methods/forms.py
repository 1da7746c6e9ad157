"""The forms of a hand-written derivative: which were given, and how messages name each."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pytest_gradcheck.errors import InvalidArgument
from pytest_gradcheck.frameworks.base import kind_of
from pytest_gradcheck.function.signatures import name_of, signature_of
from pytest_gradcheck.methods.names import FIRST_FORMS, SECOND_FORMS, WRITTEN_AS
from pytest_gradcheck.methods.roles import gradient_of

#: What a message calls the derivative that a form gives.
NOUNS = {
    "gradient": "the gradient",
    "vjp": "the vjp",
    "jacobian": "the Jacobian",
    "jvp": "the jvp",
    "hessian": "the Hessian",
    "hvp": "the hvp",
    "rmatvec": "the adjoint",
}


class Broken(Exception):  # noqa: N818  what is wrong is the form, not this package
    """Raised for a hand-written derivative that is wrong before any number is compared.

    ``code`` is that of the diagnosis.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, eq=False)
class Form:
    """A derivative of the function written by hand.

    ``name`` is the option that gave it, or ``"rmatvec"`` for the adjoint of a linear operator. ``how`` is the
    name of the option whose calling convention it follows. ``alone`` says that it is the only form.
    ``source`` is what to look for in the user's code.
    """

    name: str
    how: str
    function: Callable[..., Any]
    source: Callable[..., Any]
    alone: bool = False

    @property
    def order(self) -> int:
        """2 for a derivative of the gradient."""
        return 2 if self.how in SECOND_FORMS else 1

    @property
    def is_named(self) -> bool:
        """Whether messages begin with the name. A lone gradient or vjp needs none."""
        return not (self.alone and self.name in ("gradient", "vjp"))

    def named(self, text: str, method: str) -> str:
        """Turn a sentence about a method's gradient into one about this form."""
        if not self.is_named:
            return text
        noun = NOUNS[self.name]
        return f"{self.name}: " + text.replace(gradient_of(method), noun)


def given(
    fn: Any, options: dict[str, Any], *, alone: bool = True
) -> tuple[Callable[..., Any], tuple[Form, ...]]:
    """Return the function whose values count, and the forms in which its derivative was given.

    Args:
        fn: the function under test.
        options: what the options in `FIRST_FORMS` and `SECOND_FORMS` have, None for those not given.
        alone: whether these are the only forms.
    """
    forms: list[Form] = []
    value = fn
    for name in (*FIRST_FORMS, *SECOND_FORMS):
        function = options[name]
        if function is True:
            value = _value(fn)
            setattr(value, WRITTEN_AS, getattr(fn, WRITTEN_AS, fn))
            forms.append(Form(name, name, _gradient(fn), getattr(fn, WRITTEN_AS, fn)))
        elif function is not None:
            takes_cotangent = "cotangent" in getattr(signature_of(function), "parameters", ())
            how = "vjp" if name == "gradient" and takes_cotangent else name
            forms.append(Form(name, how, function, function))
    if alone and len(forms) == 1 and options["gradient"] is not True:
        forms = [replace(forms[0], alone=True)]
    return value, tuple(forms)


def _both(fn: Callable[..., Any], answer: Any) -> Any:
    if isinstance(answer, tuple | list) and len(answer) == 2:
        return answer
    got = f"{len(answer)} values" if isinstance(answer, tuple | list) else kind_of(answer)
    raise InvalidArgument(
        "gradient",
        f"True for {name_of(fn)}, which returns {got}",
        "return (value, gradient), or give gradient= a function",
    )


def _value(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def value(*args: Any, **kwargs: Any) -> Any:
        return _both(fn, fn(*args, **kwargs))[0]

    return value


def _gradient(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return _both(fn, fn(*args, **kwargs))[1]

    return gradient
