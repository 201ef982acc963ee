"""The engines `x86` and `onednn` of PyTorch 2.13, with the integer arithmetic of FBGEMM for now."""

from refquant.engines.builtin.fbgemm import FBGEMM

X86 = FBGEMM.derive(
    "x86",
    "x86, servers, as of PyTorch 2.13; integer arithmetic of FBGEMM, also for what oneDNN computes "
    "there",
    release="2.13",
)

ONEDNN = FBGEMM.derive(
    "onednn",
    "oneDNN, x86 servers with VNNI, as of PyTorch 2.13; recipe of oneDNN, integer arithmetic of "
    "FBGEMM",
    unsupported={"output_padding": "oneDNN has no transposed convolution with output padding"},
    recipe={"reduce_range": False},
    release="2.13",
)

ENGINES = (X86, ONEDNN)
