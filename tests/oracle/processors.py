"""Which runtimes answer as recorded on the processor of this machine.

Three of them compute differently on different x86 processors; two have a record for each.
"""

import re
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
INTEL, AMD = "GenuineIntel", "AuthenticAMD"
# What a runtime needs; the others answer alike on all.
NEEDS = {
    "onnx": "a processor with VNNI",
    "onnx-avx2": "a processor without VNNI",
    "openvino-u8": "a processor with VNNI",  # without it, pairs saturate in another order
    "ncnn": "a processor of Intel with AVX-512",
    "ncnn-amd-avx2": "a processor of AMD without AVX-512",
}


def _words(text: str, name: str) -> set[str]:
    """Read an entry of the first processor."""
    entry = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
    return set(entry[1].split()) if entry else set()


def able(text: str) -> set[str]:
    """List for which of these runtimes a processor is, as Linux describes it."""
    flags, maker = _words(text, "flags"), _words(text, "vendor_id")
    if not flags:
        return set()
    vnni = bool(flags & {"avx512_vnni", "avx_vnni"})
    chosen = {
        "onnx": vnni,
        "onnx-avx2": not vnni,
        "openvino-u8": vnni,
        "ncnn": INTEL in maker and "avx512f" in flags,
        "ncnn-amd-avx2": AMD in maker and "avx512f" not in flags,
    }
    return {runtime for runtime, fits in chosen.items() if fits}


def has_vnni() -> bool:
    """Whether integer products are added in 32 bits; without it runtimes saturate pairs."""
    return here("onnx")


def has_instructions_of_records(torch) -> bool:
    """Whether PyTorch computes here by AVX512-VNNI, as where the answers of engines were recorded.

    Without it sums of pairs saturate, vectors and blocks of channels have other lengths, and float
    sums another order.
    """
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and has_vnni()


def has_library_of_records(torch) -> bool:
    """Whether Intel's library, by which PyTorch multiplies floats, takes the recorded path too.

    It takes others on processors of other makers, even with AVX-512. ncnn needs the same.
    """
    return has_instructions_of_records(torch) and here("ncnn")


@cache
def here(runtime: str) -> bool:
    """Whether a runtime answers on this machine as its engine does, as far as is known."""
    if runtime not in NEEDS:
        return True
    return CPUINFO.exists() and runtime in able(CPUINFO.read_text(encoding="utf-8"))
