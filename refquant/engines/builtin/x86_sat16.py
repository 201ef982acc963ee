"""FBGEMM on x86 processors without VNNI, whose sums of pairs saturate."""

from refquant.engines.builtin.fbgemm import FBGEMM
from refquant.engines.rule import first_of
from refquant.engines.rules.accumulate import SATURATED_PAIRS

X86_SAT16 = FBGEMM.derive(
    "x86-sat16",
    "FBGEMM of PyTorch 2.13 on x86 processors without VNNI; its kernels for groups of 4, "
    "8 or 16 channels, which sum exactly, are left aside",
    steps={"accumulator": first_of(SATURATED_PAIRS)},
)

ENGINES = (X86_SAT16,)
