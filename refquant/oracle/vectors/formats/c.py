"""C headers: all of a case as constants that a compiler reads.

``CASE.h`` has the arrays of the case and what its entry in the manifest holds besides; names are
those of the operands, with what they have joined by ``_``. Answers are text: numbers separated by
blanks, as ``printf`` writes them.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from refquant.oracle.vectors.storage import LIMIT, Forms, check_regular, fault

__all__ = ["ANSWER", "ENDING", "answer", "read", "write"]

ENDING = ".output.txt"
ANSWER = "CASE.output.txt with its numbers as text"
_TYPES = {
    "uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int32_t",
    "int64": "int64_t", "float32": "float", "float64": "double",
}  # fmt: skip
_END = "/* end */\n"
_ODD = {"nan": "NAN", "inf": "INFINITY", "-inf": "-INFINITY"}
_READ = {"NAN": math.nan, "INFINITY": math.inf, "-INFINITY": -math.inf}


def _number(value: Any, single: bool = False) -> str:
    """Write a number of which no bit is lost."""
    if isinstance(value, int):
        return str(int(value))  # of a boolean, too
    if not math.isfinite(value):
        return _ODD[str(value)]
    return float(value).hex() + ("f" if single else "")


def _array(kind: str, name: str, values: list[str]) -> str:
    rows = [", ".join(values[k : k + 12]) for k in range(0, len(values), 12)]
    held = ",\n    ".join(rows) if rows else "0"
    return f"static const {kind} {name}[] = {{\n    {held}\n}};"


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value


def _constants(name: str, value: Any) -> Iterator[str]:
    """Write what an operand has besides its array."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "list":
                for number, each in enumerate(part):
                    yield from _constants(f"{name}{number}", each)
            elif key != "array":
                yield from _constants(f"{name}_{key}", part)
    elif isinstance(value, str):
        yield f'static const char {name}[] = "{value}";'
    elif isinstance(value, list | tuple):
        numbers = list(_flat(value))
        real = any(isinstance(each, float) for each in numbers)
        yield _array("double" if real else "int", name, [_number(each) for each in numbers])
    elif value is not None:
        kind = "double" if isinstance(value, float) else "int"
        yield f"static const {kind} {name} = {_number(value)};"


def write(folder: Path, entry: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write the header of a case; of an answer alone, its integers as text."""
    path = folder / f"{entry['name']}.h"
    if set(arrays) == {"output"}:
        text = " ".join(map(str, arrays["output"].reshape(-1).tolist())) + "\n"
        (folder / f"{entry['name']}{ENDING}").write_text(text, encoding="utf-8")
        return
    lines = [f"/* Case {entry['name']}. */", "#include <math.h>", "#include <stdint.h>"]
    for name, array in arrays.items():
        single = array.dtype == np.float32
        shape = [str(n) for n in array.shape]
        lines.append(f"#define {name}_size {array.size}")
        lines.append(_array("int", f"{name}_shape", shape))
        values = [_number(value, single) for value in array.reshape(-1).tolist()]
        lines.append(_array(_TYPES[array.dtype.name], name, values))
    for name, value in {**entry["arguments"], "output": entry["output"]}.items():
        lines.append(f"#define HAS_{name} {int(value is not None)}")
        lines += _constants(name, value)
    path.write_text("\n".join(lines) + f"\n{_END}", encoding="utf-8", newline="\n")


def read(folder: Path, case: str, forms: Forms) -> dict[str, np.ndarray]:
    """Read the arrays of a case that is not trusted, or raise."""
    path = folder / f"{case}.h"
    text = _text(path)
    if not text.endswith(_END):
        raise fault(path, "its end is missing")
    arrays = {}
    for name, (dtype, shape) in forms.items():
        if not (name.isidentifier() and name.isascii()):
            raise fault(path, f"{name!r} is not a valid array name")
        found = re.search(rf"static const {_TYPES[dtype.name]} {name}\[\] = {{([^}}]*)}};", text)
        if found is None:
            raise fault(path, f"it has no array {name!r} of {dtype}")
        arrays[name] = _values(path, found[1].split(","), dtype, shape)
    return arrays


def answer(path: Path, expected: np.ndarray) -> np.ndarray:
    """Read the numbers that a backend gave, or raise."""
    return _values(path, _text(path).split(), expected.dtype, expected.shape)


def _text(path: Path) -> str:
    try:
        check_regular(path)
        if path.stat().st_size > LIMIT:
            raise fault(path, "it is too large")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise fault(path, "it does not exist") from None
    except (OSError, UnicodeDecodeError, MemoryError) as error:
        raise fault(path, f"{type(error).__name__}: {error}") from None


def _values(path: Path, words: list[str], dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    count = math.prod(shape)
    odd = next((word for word in words if not _is_number(word.strip())), None)
    if odd is not None and count:
        raise fault(path, f"{odd.strip()!r} is not a number")
    if len(words) != max(count, 1) and not (count == 0 and not words):
        raise fault(path, f"it has {len(words)} numbers, {dtype} {shape} has {count}")
    try:
        values = [_value(word.strip(), dtype) for word in words[:count]]
        array = np.array(values, dtype).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise fault(path, f"{type(error).__name__}: {error}") from None
    return array


def _is_number(word: str) -> bool:
    try:
        _value(word, np.dtype(np.float64))
    except ValueError:
        return False
    return True


def _real(word: str) -> float:
    return float.fromhex(word) if "x" in word.lower() else float(word)


def _value(word: str, dtype: np.dtype) -> float | int:
    if dtype.kind == "f":
        word = word.removesuffix("f")
        return _READ[word] if word in _READ else _real(word)
    return int(word)
