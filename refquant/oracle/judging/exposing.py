"""Files of models whose intermediate results are results, too; nothing else in them changes."""

import struct

from refquant.oracle.graphs.files import TFLITE, Read
from refquant.oracle.graphs.flatbuffer_reader import root
from refquant.oracle.vectors.models.onnx_graph import KINDS
from refquant.oracle.vectors.models.protobuf import Message, encode

__all__ = ["exposed"]

_OUTPUTS = 2  # the field of a graph in .tflite files


def exposed(read: Read, names: list[str]) -> bytes:
    """Return the file with more results.

    Parameters
    ----------
    read : Read
        The file.
    names : list of str
        All results that are wanted, those of the file first.
    """
    return (_tflite if read.ending == "tflite" else _onnx)(read, names)


def _tflite(read: Read, names: list[str]) -> bytes:
    """Let the list of results be another one, behind everything else."""
    data = bytearray(read.content)
    graph = root(memoryview(read.content), TFLITE).tables(2)[0]
    place = graph.place_of(_OUTPUTS)
    if place is None:
        return bytes(data)
    data += bytes(-len(data) % 4)
    struct.pack_into("<I", data, place, len(data) - place)
    numbers = [read.places[name] for name in names]
    return bytes(data) + struct.pack(f"<{1 + len(numbers)}i", len(numbers), *numbers)


def _onnx(read: Read, names: list[str]) -> bytes:
    """Append results: two messages of the same kind, one after the other, are one."""
    added: Message = []
    for name in names:
        if name in read.graph.outputs:
            continue
        kind = KINDS[read.graph.values[name].dtype]
        added.append((12, [(1, name), (2, [(1, [(1, kind)])])]))
    return read.content + encode([(7, added)]) if added else read.content
