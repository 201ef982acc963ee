"""The stubs of PyTorch 2's paths: below ``refquant/ao`` each hands on the names of a home.

`documentation.declarations` writes them.
"""

from refquant._paths import HOMES

MOVED = ("nn.intrinsic", "nn.qat", "nn.quantized", "quantization")
# Files that PyTorch has, and refquant too.
SHARED = (
    "nn.intrinsic nn.intrinsic.qat nn.intrinsic.quantized nn.intrinsic.quantized.dynamic nn.qat "
    "nn.qat.dynamic nn.quantized nn.quantized.dynamic nn.quantized.reference "
    "nn.quantized.functional quantization quantization.fake_quantize quantization.observer "
    "quantization.qconfig quantization.stubs"
)
TOP = '''"""PyTorch 2's paths."""

from refquant import nn as nn
from refquant import quantization as ns
from refquant import quantization as quantization
'''


def files(root):
    """Return the stubs as they should be: text by path."""
    found = {name: name for name in SHARED.split()}
    found.update({name: home for name, home in HOMES.items() if name.startswith(MOVED)})
    found["ns._numeric_suite"] = "quantization.numeric_suite"
    packages = {name.rpartition(".")[0] for name in found}
    texts = {"__init__.pyi": TOP, "nn/__init__.pyi": "", "ns/__init__.pyi": ""}
    for name, home in found.items():
        file = name.replace(".", "/") + ("/__init__.pyi" if name in packages else ".pyi")
        texts[file] = f"from refquant.{home} import *\n"
    return {root / "ao" / file: text for file, text in texts.items()}
