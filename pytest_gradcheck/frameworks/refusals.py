"""Distinguish exceptions: code that refuses its arguments, and code that breaks on them."""

from __future__ import annotations

import dis

#: Never a refusal, whatever raised it: ``UnboundLocalError`` among them, and an attribute of None.
_MISTAKES = (NameError, AttributeError)

#: A refusal if a ``raise`` statement raised it. The interpreter raises it for a mistake in the code: an
#: operation on None, an index or a key that is not there, a division by zero.
_DOUBTFUL = (TypeError, LookupError, ArithmeticError)


def is_refusal(error: BaseException) -> bool:
    """Whether an exception is a deliberate refusal of arguments.

    A library refuses by RuntimeError or ValueError, from C as well. Code refuses by any exception that it
    raises itself, including ``assert``. An exception that the interpreter raises because the code is wrong is
    not a refusal.
    """
    if isinstance(error, _MISTAKES):
        return False
    instruction = _last_instruction(error)
    if isinstance(error, _DOUBTFUL):
        return instruction == "RAISE_VARARGS"
    # "not enough values to unpack" is a ValueError.
    return not instruction.startswith("UNPACK_")


def _last_instruction(error: BaseException) -> str:
    """Return the name of the bytecode instruction that raised; empty where no Python code did."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]]
