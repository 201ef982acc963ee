"""Give damaged files to `refquant.load`, on demand guided by the lines that they reach.

    python tests/fuzz/files.py --count 100000 --seed 1
    python tests/fuzz/files.py --seconds 30            # until then
    python tests/fuzz/files.py --guided --seconds 30   # by atheris

A file may be rejected by a FileFormatError. Anything else that is raised, and a value that does not
come back from a file of its own, is a fault: its bytes are printed. So that damage gets behind the
checksum, most files have theirs set right.
"""

import argparse
import io
import os
import random
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from serialization.values import per_channel, per_tensor, same, written

import refquant
from refquant import archive
from refquant.archive import BEGIN, UNKNOWN
from refquant.errors import FileFormatError
from refquant.io import decoding

LIMIT = 1 << 20
# What headers and documents are made of.
WORDS = [
    *(b'"tensor"', b'"quantized"', b'"array"', b'"order"', b'"dtype"', b'"shape"', b'"scale"'),
    *(b'"zero_point"', b'"axis"', b'"data_offsets"', b'"F32"', b'"I8"', b'"U8"', b'"BF16"'),
    *(b"[0,1]", b"[]", b"{}", b"null", b"true", b"-1", b"0", b"1e999", b"9223372036854775808"),
    *(b'\\"list\\":', b'\\"dict\\":', b'\\"quint4x2\\"', b'\\"qint8\\"', b'\\"float\\"', b"NaN"),
]


def seeds():
    """Files that are as they should be, of all kinds of values."""
    few = refquant.quantize_per_channel(
        refquant.randn(3, 5),
        refquant.ones(3),
        refquant.zeros(3),
        0,
        refquant.quint4x2,
    )
    values = [
        {"a": refquant.ones(2, 3), "b": [1, 2.5, None, "text", refquant.quint8]},
        {"q": per_tensor(), "c": per_channel(), "few": few},
        refquant.ones(1, 2, 3, 4).contiguous(memory_format=refquant.channels_last),
        [refquant.zeros(0, 3), (refquant.tensor(True), float("nan"))],
        {},
    ]
    return [written(value) for value in values]


def with_checksum(data: bytes) -> bytes:
    """Set the checksum right, if the file has one."""
    place = 8 + len(BEGIN)
    if not data[8:].startswith(BEGIN):
        return data
    length = int.from_bytes(data[:8], "little")
    text = data[8:place] + UNKNOWN + data[place + len(UNKNOWN) : 8 + length]
    checksum = zlib.crc32(data[8 + length :], zlib.crc32(text))
    return data[:place] + f"{checksum:08x}".encode() + data[place + len(UNKNOWN) :]


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Change a file in one to four places."""
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(data) + 1)
        end = min(len(data), start + draw.choice((0, 1, 1, 2, 8, 40)))
        piece = draw.choice((draw.randbytes(end - start), draw.choice(WORDS), data[end : end + 9]))
        length = int.from_bytes(data[:8], "little")
        keep = len(data) >= 8 and 8 <= start < 8 + length and draw.random() < 0.9
        data = data[:start] + piece + data[end:]
        if keep:  # the header grew or shrank
            data = max(0, length + len(piece) - (end - start)).to_bytes(8, "little") + data[8:]
    return with_checksum(data) if draw.random() < 0.8 else data


def check(data: bytes) -> bool:
    """Load a file; whether it held a value."""
    try:
        value = refquant.load(io.BytesIO(data), max_bytes=LIMIT)
    except FileFormatError:
        return False
    assert same(refquant.load(io.BytesIO(written(value))), value)
    return True


def run(count: int, seed: int, seconds: float) -> tuple[int, int, list[bytes]]:
    """Check damaged files; returns how many, how many held a value, and the faults."""
    draw, files, begun = random.Random(seed), seeds(), time.monotonic()
    held, faults, number = 0, [], 0
    while number < count and time.monotonic() - begun < seconds:
        data = damaged(draw.choice(files), draw)
        number += 1
        try:
            held += check(data)
        except Exception as error:
            faults.append(data)
            print(f"{type(error).__name__}: {error}\n  {data!r}")
    return number, held, faults


def guided(seconds: float) -> None:
    """Let atheris look for files that reach new lines; it ends the process."""
    import tempfile

    import atheris

    for module in (archive, decoding):
        for function in (*vars(module).values(), *vars(decoding._Reader).values()):
            own = getattr(function, "__module__", None) == module.__name__
            if own and hasattr(function, "__code__"):
                atheris.instrument_func(function)
    folder = tempfile.mkdtemp()
    for number, data in enumerate(seeds()):
        with open(os.path.join(folder, str(number)), "wb") as file:
            file.write(data)
    options = [sys.argv[0], folder, f"-max_total_time={int(seconds)}", "-rss_limit_mb=4096"]
    atheris.Setup(options, lambda data: check(with_checksum(data)))
    atheris.Fuzz()


def main() -> bool:
    """Run from the command line; the exit code is nonzero if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10**9, help="how many files")
    parser.add_argument("--seconds", type=float, default=1e9, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="which files")
    parser.add_argument("--guided", action="store_true", help="by atheris")
    options = parser.parse_args()
    if options.guided:
        guided(options.seconds)
    number, held, faults = run(options.count, options.seed, options.seconds)
    print(f"{number} damaged files, {held} held a value, {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
