"""Count the instructions that an emulated processor executes for each product of a layer.

    python tests/arm/executed.py VARIANT EMULATOR... PYTHON

Time cannot be measured under emulation, but work can: QEMU's user emulator, one instruction at a
time, logs the address of each that it executes in the modules of the kernels. A first run tells
where they are, a second one logs them; addresses are not random, but the log can move the modules,
and then a third run finds them where the second did. The status is 1 if a layer takes more than it
must.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

PRODUCTS = Path(__file__).parent / "products.py"
# The most instructions of kernels for each product, a quarter above what GCC 12 makes: with dot
# products of bytes, sixteen products in an instruction, and without, four products of floats.
MOST = {
    "linear, depth 256": (0.22, 0.85),
    "linear, one row": (0.55, 1.8),
    "1x1, depth 64": (0.33, 0.8),
    "3x3, 32 channels": (0.28, 0.65),
    "7x7/2, depth 147": (0.45, 0.7),
    "depthwise 3x3": (2.5, 2.5),
    "4 groups of 16": (0.52, 0.7),
}
KINDS = {
    "dot": r"[us]dot|usdot",
    "float": r"fmla|fmul|fadd",
    "load": r"ld\w+",
}


def run(emulator, options, *words):
    """Run the layers on the emulated processor."""
    command = ["setarch", "-R", emulator[0], *options, *emulator[1:], "-W", "ignore", PRODUCTS]
    done = subprocess.run([*command, *words], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def names_of(module, first, objdump="aarch64-linux-gnu-objdump"):
    """Name the instruction at each address of a module that begins at `first`."""
    text = subprocess.run(
        [objdump, "-d", "--no-show-raw-insn", module], check=True, capture_output=True, text=True
    ).stdout
    found = re.findall(r"^\s*([0-9a-f]+):\t(\S+)", text, re.MULTILINE)
    return {first + int(address, 16): name for address, name in found}


def executed(log, layer, names):
    """Count by name what was executed while a layer ran."""
    log.seek(layer["begin"])
    lines = log.read(layer["end"] - layer["begin"]).splitlines()
    addresses = (line.split("/", 2)[1] for line in lines if line.startswith("Trace"))
    return Counter(names.get(int(address, 16), "?") for address in addresses)


def logged(emulator, variant, log):
    """Run the layers while instructions of kernels are logged; returns what they tell."""
    found = run(emulator, [], variant)
    for _ in range(2):
        places = found["places"]
        ranges = ",".join(f"{first:#x}..{last:#x}" for first, last, _ in places.values())
        tracing = ["-singlestep", "-d", "exec,nochain", "-dfilter", ranges, "-D", log]
        found = run(emulator, tracing, variant, log)
        if found["places"] == places:
            return found
    sys.exit("each run loaded the modules at other addresses")


def main():
    variant, *emulator = sys.argv[1:]
    too_many = False
    with tempfile.NamedTemporaryFile("r", encoding="ascii") as log:
        found = logged(emulator, variant, log.name)
        names = {}
        for first, _, module in found["places"].values():
            names |= names_of(module, first)
        for layer in found["layers"]:
            counts = executed(log, layer, names)
            each = {
                kind: sum(n for name, n in counts.items() if re.fullmatch(pattern, name))
                for kind, pattern in KINDS.items()
            }
            rate = counts.total() / layer["products"]
            most = MOST[layer["name"]][variant == "baseline"]
            parts = ", ".join(f"{n / layer['products']:.3f} {kind}" for kind, n in each.items())
            note = "" if rate <= most else f"   expected at most {most}"
            too_many |= rate > most or not counts
            print(f"   {variant}, {layer['name']}: {rate:.3f} for each product: {parts}{note}")
    return int(too_many)


if __name__ == "__main__":
    sys.exit(main())
