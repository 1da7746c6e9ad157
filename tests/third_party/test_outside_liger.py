"""liger-kernel's Triton kernels are checked in a process in which Triton interprets them."""

from pathlib import Path

from interpreted_kernels import assert_interpreted
from outside import MARKS, outside

outside("liger_kernel")

pytestmark = MARKS


def test_interpreted_kernels():
    assert_interpreted(Path(__file__).parent, "third_party")
