"""Saving and loading state dicts and tensors, without pickle.

A file holds only plain data: reading one never executes code from it. `refquant.archive` defines
the container, `refquant.io.encoding` what is written into it.
"""

from pathlib import Path
from typing import Any

from refquant import archive, arguments, dtypes
from refquant._environment import enclose
from refquant.atomic import replace_file
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.io.decoding import decode
from refquant.io.encoding import Writer

__all__ = ["load", "save"]

LARGEST_FILE = 1 << 35


def save(obj: Any, f: Any) -> None:
    """Write a state dict, a tensor, or any nesting of plain values to a file.

    Parameters
    ----------
    obj : object
        A tensor (plain or quantized), number, string, bool, None, dtype or scheme, or a dict,
        OrderedDict, list or tuple of them. Modules are rejected: save their ``state_dict()``.
    f : str, Path or binary file
        Where to write. An existing regular file is replaced atomically when the new one is complete
        and on the disk, and keeps its permissions; if anything fails, even if the process is
        killed, it stays as it was. Devices and pipes are written to when they are open files.

    Raises
    ------
    ArgumentTypeError
        If `obj` holds something else; the message says where.
    ArgumentError
        If `f` is the path of a folder, a device or a pipe.

    Notes
    -----
    Elements, strides of dense tensors, quantizers, ``requires_grad``, the order of dicts and every
    bit of a float are preserved. Tensors that share one array are written once and share it again
    after loading. Equal values give equal files.

    Files are of the safetensors format: the package of that name, and all that reads the format,
    finds the tensors under names such as ``model.0.weight``, quantized ones as integers.

    Examples
    --------
    >>> import io, refquant
    >>> file = io.BytesIO()
    >>> refquant.save({"weight": refquant.tensor([1.0, 2.0]), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> refquant.load(file)
    {'weight': tensor([1., 2.]), 'epoch': 3}
    """
    if hasattr(obj, "state_dict") and not isinstance(obj, type):
        raise ArgumentTypeError(
            argument="obj",
            expected="a state dict or plain values",
            got=f"a whole {type(obj).__name__}",
            hint="save its state_dict(), and load it with load_state_dict() into a model that is "
            "built the same way",
        )
    writer = Writer()
    value = writer.encode(obj, "obj")
    if hasattr(f, "write"):
        archive.write(f, value, writer.arrays)
        return
    replace_file(_path(f), lambda stream: archive.write(stream, value, writer.arrays), "f")


def load(
    f: Any,
    map_location: Any = None,
    *,
    weights_only: bool = True,
    max_bytes: int = LARGEST_FILE,
) -> Any:
    """Read what `save` wrote, or a safetensors file of another program.

    Parameters
    ----------
    f : str, Path or binary file
        A file; one that is open is read from its current position to the end.
    map_location : 'cpu', device or callable, optional
        Accepted: there is one device.
    weights_only : bool, default True
        Accepted: a file holds nothing but data.
    max_bytes : int, default 2**35
        A file that is larger is rejected before memory is allocated for it.

    Returns
    -------
    object
        As it was saved. Of a file of another program, a dict of plain tensors.

    Raises
    ------
    FileFormatError
        If the file is damaged, too large, of another format or of a later version. For a file
        of ``torch.save`` it says how to bring the content over.
    FileNotFoundError
        If there is no such file.
    ArgumentError
        If `f` is a folder.

    Examples
    --------
    >>> import io, refquant
    >>> refquant.load(io.BytesIO(b"something else"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    refquant.errors.FileFormatError: load: the file is damaged or not one of refquant's (...
    """
    if map_location is not None and not callable(map_location):
        dtypes.device(map_location)
    arguments.flag("weights_only", weights_only)
    limit = arguments.integer("max_bytes", max_bytes, 0)
    if hasattr(f, "read"):
        return decode("load", archive.read("load", f, limit))
    path = _path(f)
    source = f"load of {str(path)!r}"
    with path.open("rb") as stream:
        return decode(source, archive.read(source, stream, limit))


def _path(f: Any) -> Path:
    target = arguments.path("f", f, "a path or a binary file")
    if not target.name or target.is_dir():
        raise ArgumentError(
            argument="f",
            expected="the path of a file, or a binary file",
            got=f"the folder {str(target)!r}",
        )
    return target


enclose(__name__)
