"""Write the stubs of PyTorch 2's paths for type checkers and editors: run this file as a script.

Each stands below ``refquant/ao`` and hands on the names of its home.
"""

from pathlib import Path

import refquant
from refquant._paths import HOMES

FOLDER = Path(refquant.__path__[0]) / "ao"
MOVED = ("nn.intrinsic", "nn.qat", "nn.quantized", "quantization")
# Files that PyTorch has, and refquant too.
SHARED = (
    "nn.intrinsic nn.intrinsic.qat nn.intrinsic.quantized nn.qat nn.quantized nn.quantized.dynamic "
    "nn.quantized.functional quantization quantization.fake_quantize quantization.observer "
    "quantization.qconfig quantization.stubs"
)


def stubs():
    """Return the text of each stub by its path below ``refquant/ao``."""
    found = {name: name for name in SHARED.split()}
    found.update({name: home for name, home in HOMES.items() if name.startswith(MOVED)})
    packages = {name.rpartition(".")[0] for name in found} | set(MOVED)
    texts = {"nn/__init__.pyi": ""}
    for name, home in sorted(found.items()):
        file = name.replace(".", "/") + ("/__init__.pyi" if name in packages else ".pyi")
        texts[file] = f'"""The names of `refquant.{home}`."""\n\nfrom refquant.{home} import *\n'
    return texts


def written():
    """Return the stubs that are there."""
    files = sorted(FOLDER.rglob("*.pyi"))
    texts = {file.relative_to(FOLDER).as_posix(): file.read_text("utf-8") for file in files}
    return {name: text for name, text in texts.items() if name != "__init__.pyi"}


if __name__ == "__main__":
    for name, text in stubs().items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")
