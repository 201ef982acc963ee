"""Record the answers of a real engine: run this under the PyTorch that gives them.

    python tests/golden/record.py                 # all families
    python tests/golden/record.py elementwise     # some

It writes ``FAMILY-torch-VERSION.npz`` beside itself. The answers were made with PyTorch 1.4.0
(Python 3.8) and 2.13.0, CPU builds for x86-64; each file says with what. One thread, because the
engines round the ends of each thread's share like tails.
"""

import os
import platform
import sys
import warnings

import numpy as np

# The records of oneDNN are processors with VNNI and without AMX; it reads this when it starts.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
import torch

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import registry
from cases.recordings import recording, write

HERE = os.path.dirname(os.path.abspath(__file__))
FEATURES = ("avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_vnni")


def processor_features():
    """Which of the instruction sets that matter this processor has."""
    if not os.path.exists("/proc/cpuinfo"):
        return "unknown"
    with open("/proc/cpuinfo") as file:
        flags = next((line for line in file if line.startswith("flags")), "").split()
    return " ".join(feature for feature in FEATURES if feature in flags)


def provenance(release):
    """Return the versions and settings with which the answers were computed."""
    cpu = getattr(torch.backends, "cpu", None)
    return {
        "peer": "torch " + torch.__version__.split("+")[0],
        "release": release,
        "machine": platform.machine(),
        "processor": processor_features(),
        "capability": cpu.get_cpu_capability() if cpu else "AVX2, the most that 1.4 knows",
        "threads": torch.get_num_threads(),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def main(families):
    """Record the families of these names."""
    version = torch.__version__.split("+")[0]
    release = ".".join(version.split(".")[:2])
    torch.set_num_threads(1)
    operations = registry.load().values()
    for family in families or sorted({operation.family for operation in operations}):
        answers = {
            (engine, operation.name): recording(operation, torch, engine, release)
            for operation in operations
            if operation.family == family and operation.recorded
            for own, engine in operation.peers
            if own == release
        }
        path = os.path.join(HERE, f"{family}-torch-{version}.npz")
        write(path, provenance(release), answers)
        print(f"{os.path.basename(path)}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # PyTorch warns about its own deprecations
    main(sys.argv[1:])
