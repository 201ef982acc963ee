"""``CASE.tflite``: a model of one operation for each case, beside its arrays in ``CASE.npz``."""

from pathlib import Path
from typing import Any

from refquant.oracle.vectors.formats import npz
from refquant.oracle.vectors.formats.npz import ANSWER, ENDING, answer, read
from refquant.oracle.vectors.models import tflite_model

__all__ = ["ANSWER", "ENDING", "NEUTRAL_ALONE", "answer", "read", "write"]

NEUTRAL_ALONE = True


def write(folder: Path, entry: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write the arrays of a case and its model; of an answer alone, its array."""
    if set(arrays) != {"output"}:
        content = tflite_model.model(entry, arrays)
        (folder / f"{entry['name']}.tflite").write_bytes(content)
    npz.write(folder, entry, arrays)
