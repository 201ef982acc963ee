"""What the processor that tests run on has."""

from functools import cache
from pathlib import Path

__all__ = ["has_vnni"]


@cache
def has_vnni():
    """Return whether integer products are added in 32 bits; without it runtimes saturate pairs."""
    listed = Path("/proc/cpuinfo")
    return listed.is_file() and "avx512_vnni" in listed.read_text()
