"""The one error of the package."""

from __future__ import annotations


class LoweringError(Exception):
    """A torch function cannot be carried over to the reference engine.

    Attributes:
        operation: qualified name of the operation that stands in the way, such as
            ``"mylib::blur.default"``, or None when no single operation does.
    """

    def __init__(self, message: str, operation: str | None = None) -> None:
        super().__init__(message)
        self.operation = operation
