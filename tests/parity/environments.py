"""Other floating-point environments: the control register of x86, as glibc shows it."""

import contextlib
import ctypes
import platform
import sys

import pytest

from refquant import kernels

X86 = platform.machine().lower() in ("x86_64", "amd64")
needs_registers = pytest.mark.skipif(
    not X86 or not sys.platform.startswith("linux") or len(kernels.available()) == 1,
    reason="needs compiled kernels, and the control register of x86 as glibc shows it",
)
libm = ctypes.CDLL("libm.so.6") if sys.platform.startswith("linux") else None
USUAL = 0x1F80
DOWNWARD, UPWARD, TO_ZERO = 1 << 13, 2 << 13, 3 << 13
FLUSH, DENORMALS_ARE_ZERO = 1 << 15, 1 << 6
FLIPPED = {
    "downward": USUAL | DOWNWARD,
    "upward": USUAL | UPWARD,
    "to zero": USUAL | TO_ZERO,
    "flush to zero": USUAL | FLUSH | DENORMALS_ARE_ZERO,
}


def registers(value=None):
    """Read the control register without flags of exceptions, or set it."""
    environment = (ctypes.c_uint32 * 8)()
    libm.fegetenv(environment)
    if value is not None:
        environment[7] = value
        libm.fesetenv(environment)
    return environment[7] & ~0x3F


@contextlib.contextmanager
def flipped(name):
    """Run a block in an environment of `FLIPPED`; None is the usual one."""
    registers(FLIPPED.get(name, USUAL))
    try:
        yield
    finally:
        registers(USUAL)
