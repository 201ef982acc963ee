"""Judgments of models: each layer is given what the backend gave it, and compared."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.engines import Engine
from refquant.errors import (
    ArgumentError,
    FileFormatError,
    NotSupportedError,
    OperationError,
    RefquantError,
    ShapeError,
)
from refquant.oracle.diagnosis import diagnose_problem
from refquant.oracle.error_bounds import FAMILIES, legality
from refquant.oracle.graphs.files import Read, content_of, is_tflite
from refquant.oracle.graphs.graph import Graph, Node, Value, answer_of, records_of
from refquant.oracle.graphs.moves import Move
from refquant.oracle.graphs.onnx_reader import read_onnx
from refquant.oracle.graphs.onnx_writer import write_onnx
from refquant.oracle.graphs.shapes import zeros_for
from refquant.oracle.graphs.tflite_reader import read_tflite
from refquant.oracle.graphs.tflite_writer import write_tflite
from refquant.oracle.judging.exposing import exposed
from refquant.oracle.judging.fusions import fused_sums
from refquant.oracle.judging.judgment import Judgment, LayerVerdict, sub_graph
from refquant.oracle.judging.programs import run_program
from refquant.oracle.judging.runtimes import RUNTIMES
from refquant.oracle.judging.structure import faults_of_moves, structural_faults
from refquant.oracle.problems.base import Problem
from refquant.oracle.vectors.formats import npz
from refquant.oracle.vectors.storage import DamagedFileError

__all__ = ["judge"]

_TIME_LIMIT = 60.0
# Of programs and functions, whose rules are not known; what has no exact form has that of another.
_DEFAULT = ("exact", "tflite-micro", "onnxruntime-qdq-float")
_MOST_INPUTS = 2**28  # bytes of one input
_MOST_EXPLAINED = 2**19  # elements of departing layers; the first is explained however large it is
_NOT_EXPLAINED = f"not searched for: {_MOST_EXPLAINED:,} elements of layers before depart, too"
Arrays = dict[str, np.ndarray]


@documented()
def judge(
    model: Any,
    backend: Any = "litert",
    inputs: Any = None,
    engine: Any = None,
    *,
    time_limit: float | None = _TIME_LIMIT,
) -> Judgment:
    """Run a model in a backend, and find the first layer that departs from an engine, and its rule.

    Each layer is computed of what the backend itself gave it, so that one wrong layer does not hide
    what follows it.

    Parameters
    ----------
    model : path or bytes
        A ``.tflite`` or ``.onnx`` file; nothing in it is executed by refquant.
    backend : str or callable, default 'litert'
        ``'litert'``, ``'litert-optimized'``, ``'litert-reference'``, ``'tflite-micro'``,
        ``'onnxruntime'``, ``'onnxruntime-unfused'``, ``'openvino'``; any other text is a program
        that reads and writes raw files, see *My model differs on the device*. A function is called
        with the content of the file, the inputs by name and the names of the wanted results, and
        returns arrays by name.
    inputs : dict of str to ndarray, or path, optional
        What the model is fed, by name, or an ``.npz`` file of that; random integers or numbers by
        default, always the same.
    engine : str, Engine or sequence of them, optional
        Whose rules are expected; by default those of the backend, and exact arithmetic for
        programs and functions.
    time_limit : float or None, default 60
        Seconds for a program.

    Returns
    -------
    Judgment
        Printable: a table of all layers, and the verdict.

    Raises
    ------
    %(unreadable_model)s
    OperationError
        If the backend fails, takes too long, or answers nonsense.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant import oracle
    >>> from refquant.interop import onnx
    >>> from refquant.oracle.graphs import Graph, Node, Value
    >>> import tempfile
    >>> values = [Value("x", "int8", (1, 4), 0.5), Value("y", "int8", (1, 4), 1.0)]
    >>> graph = Graph(values, [Node("requantize", {"x": "x"}, "y")], ["x"], ["y"])
    >>> def device(content, inputs, wanted):
    ...     return {"y": np.floor(inputs["x"] / 2 + 0.5).astype(np.int8)}  # ties upward
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = onnx.write(graph, folder + "/m.onnx")
    ...     judged = oracle.judge(path, device, {"x": np.int8([[1, 2, 3, 5]])}, "onnx")
    >>> judged.first.differing, judged.first.legal
    (2, 2)
    """
    content = content_of(model)
    read = read_tflite(content) if is_tflite(content) else read_onnx(content)
    graph = read.graph
    limit = None if time_limit is None else arguments.real("time_limit", time_limit, 0.0)
    given = _drawn(graph) if inputs is None else graph.checked(_named(graph, inputs))
    runtime = RUNTIMES.get(backend) if isinstance(backend, str) else None
    usual = _DEFAULT if runtime is None else runtime.engines
    records = records_of(usual if engine is None else engine)
    named = isinstance(model, str | os.PathLike)
    title = os.path.basename(os.fspath(model)) if named else "model"
    shown, notes = _shown(read, backend, given, limit)
    fuses = runtime is not None and runtime.fuses
    judged = _layers(graph, given, shown, records, fuses)
    reproducer = _reproducer(read, given, shown, judged)
    name = backend if isinstance(backend, str) else getattr(backend, "__name__", "function")
    return Judgment(title, name, tuple(judged), tuple(notes), reproducer)


def _named(graph: Graph, inputs: Any) -> Any:
    """Read inputs of a file; those that are given stay."""
    if not isinstance(inputs, str | os.PathLike):
        return inputs
    path = arguments.path("inputs", inputs)
    os.stat(path)  # raises if it is not there
    try:
        return npz.read_limited(path, dict.fromkeys(graph.inputs, _MOST_INPUTS))
    except DamagedFileError as error:
        raise FileFormatError(
            "oracle.judge",
            argument="inputs",
            expected=f"an .npz file with arrays named {', '.join(map(repr, graph.inputs))}",
            got=f"{path.name} ({error.reason})",
        ) from error


def _drawn(graph: Graph) -> Arrays:
    """Draw inputs: integers of the whole range, or real numbers from 0 to 1."""
    rng = np.random.default_rng(0)
    found = {}
    for name, zeros in zeros_for(graph).items():
        if zeros.dtype.kind == "f":
            found[name] = rng.random(zeros.shape, np.float32)
        else:
            info = np.iinfo(zeros.dtype)
            found[name] = rng.integers(info.min, info.max + 1, zeros.shape).astype(zeros.dtype)
    return found


# -- what a backend shows --------------------------------------------------------------------


def _shown(read: Read, backend: Any, given: Arrays, limit: float | None) -> tuple[Arrays, list]:
    """Run a model with as many results as the backend shows."""
    graph = read.graph
    ends = list(dict.fromkeys(graph.outputs))
    inner = [n.output for n in graph.nodes if n.output in read.places and n.output not in ends]
    runtime = RUNTIMES.get(backend) if isinstance(backend, str) else None
    if runtime is None:
        return _by_others(read, backend, given, [*ends, *inner], limit), []
    if runtime.files != read.ending:
        raise ArgumentError(
            "oracle.judge",
            argument="backend",
            expected=f"one that runs .{read.ending} files: "
            + ", ".join(name for name, each in RUNTIMES.items() if each.files == read.ending),
            got=repr(backend),
        )
    plain = runtime.run(read, read.content, given, ends)
    names = [*ends, *inner]
    shown = runtime.run(read, exposed(read, names), given, names)
    if all(np.array_equal(plain[name], shown[name]) for name in ends):
        return _checked(graph, shown), []
    # To show a result breaks up what the runtime computes as one; so layers are shown one by one.
    found, changed = dict(plain), []
    for node in graph.nodes:
        if node.output not in read.places or node.output in ends:
            continue
        one = [*ends, node.output]
        alone = runtime.run(read, exposed(read, one), given, one)
        if all(np.array_equal(plain[name], alone[name]) for name in ends):
            found[node.output] = alone[node.output]
        else:
            changed.append(node.output)
    note = (
        f"{len(changed)} layers change the result of the model when they are shown, because "
        f"the runtime fuses them with others; they are not shown: {', '.join(changed)}."
    )
    return _checked(graph, found), [note]


def _by_others(
    read: Read, backend: Any, given: Arrays, names: list[str], limit: float | None
) -> Arrays:
    """Run a model by a program or a function."""
    graph = read.graph
    if isinstance(backend, str):
        expected = {**given, **graph.run(given, _everything(), keep=True)}
        wanted = {name: (expected[name].dtype.name, expected[name].shape) for name in names}
        return run_program(backend, read, given, wanted, limit)
    arguments.function("backend", backend, 3)
    try:
        found = backend(read.content, {k: v.copy() for k, v in given.items()}, list(names))
    except RefquantError:
        raise
    except Exception as error:  # whatever a foreign function raises
        raise OperationError(
            f"oracle.judge: the backend raised {type(error).__name__}: {error}"
        ) from error
    arguments.mapping("backend", found, "a function that returns a dict of arrays")
    missing = [name for name in graph.outputs if name not in found]
    if missing:
        raise OperationError(f"oracle.judge: the backend has not returned {missing[0]!r}")
    return _checked(graph, {name: found[name] for name in names if name in found})


def _everything() -> tuple[str, ...]:
    return ("exact", "litert-optimized-x86", "onnxruntime-qdq-float", "onnx")


def _checked(graph: Graph, arrays: Mapping[str, Any]) -> Arrays:
    return {name: graph.values[name].check(array) for name, array in arrays.items()}


# -- layers ----------------------------------------------------------------------------------


def _layers(
    graph: Graph, given: Arrays, shown: Arrays, records: tuple[Engine, ...], fuses: bool
) -> list[LayerVerdict]:
    """Judge every layer; what a backend does not show is computed of what it has shown."""
    actual, predicted = dict(given), dict(given)
    hidden: dict[str, Node] = {}
    explained, judged = 0, []
    for node in graph.nodes:
        name = node.output
        task = graph.problem(node, actual)
        expected, record = answer_of(task, records, node)
        predicted[name], _ = answer_of(graph.problem(node, predicted), records, node)
        rule = ""
        for layer, fused in fused_sums(graph, node, actual, hidden) if fuses else ():
            if np.array_equal(fused, shown.get(name, fused)):
                expected, rule = fused, f"{record.name}, {layer!r} not quantized before the sum"
                whole = dict(fused_sums(graph, node, predicted, hidden))
                predicted[name] = whole[layer]
                break
        if name not in shown:
            actual[name], hidden[name] = expected, node
            judged.append(
                LayerVerdict(
                    name, node.operation, node.place, expected.size, 0, 0.0, record.name, rule,
                    shown=False,
                )
            )  # fmt: skip
            continue
        theirs = actual[name] = shown[name]
        if theirs.shape != expected.shape:
            raise ShapeError(
                f"oracle.judge: layer {name!r}",
                argument="backend",
                expected=f"a result of shape {expected.shape}",
                got=f"shape {theirs.shape}",
            )
        total = _difference(theirs, predicted[name])
        explains = explained < _MOST_EXPLAINED
        made = _judged(node, task, theirs, expected, record, records, total, explains)
        explained += made.elements if made.departs else 0
        judged.append(replace(made, rule=rule) if rule else made)
    return judged


def _difference(theirs: np.ndarray, ours: np.ndarray) -> tuple[int, float]:
    """Count elements that differ, and find the largest difference."""
    with np.errstate(all="ignore"):
        differ = (theirs != ours) & ~((theirs != theirs) & (ours != ours))
        apart = np.abs(theirs.astype(np.float64) - ours.astype(np.float64))
    return int(differ.sum()), float(apart[differ].max(initial=0.0))


def _judged(
    node: Node, task: Problem, theirs: np.ndarray, ours: np.ndarray, record: Engine,
    records: tuple[Engine, ...], total: tuple[int, float], explains: bool,
) -> LayerVerdict:  # fmt: skip
    differing, largest = _difference(theirs, ours)
    for other in records if differing else ():
        # A runtime may compute a layer by other kernels, of which an engine of its own tells.
        try:
            again = np.asarray(task.run(other))
        except RefquantError:
            continue
        if np.array_equal(again, theirs):
            differing, largest, record = 0, 0.0, other
            break
    rule, legal = "", 0
    if differing:
        rule = _rule(task, theirs, record) if explains else _NOT_EXPLAINED
        legal = _legal(task, theirs, ours)
    return LayerVerdict(
        node.output, node.operation, node.place, ours.size, differing, largest, record.name, rule,
        legal, True, *total,
    )  # fmt: skip


def _rule(task: Problem, theirs: np.ndarray, record: Engine) -> str:
    """Name what explains a difference: a fault of the whole layer, or other rules."""
    if isinstance(task, Move):
        found = faults_of_moves(task, theirs)
        return "; or ".join(found) or "unexplained: integers that are only moved differ"
    named = structural_faults(task, theirs, record)
    if named:
        return "; or ".join(named[:3])
    try:
        diagnosis = diagnose_problem(task, theirs, record)
    except OperationError:
        return "unexplained"
    if not diagnosis.unexplained:
        return "; or ".join(" and ".join(names) for names in diagnosis.explanations[:3])
    return f"unexplained; closest: {diagnosis.closest}"


def _legal(task: Problem, theirs: np.ndarray, ours: np.ndarray) -> int:
    """Count the differing elements that a sound implementation of some family may give."""
    if isinstance(task, Move):
        return 0
    allowed = np.zeros(theirs.shape, bool)
    for family in FAMILIES:
        try:
            allowed |= legality(theirs, task, family=family).legal.reshape(theirs.shape)
        except RefquantError:
            continue
    return int((allowed & (theirs != ours)).sum())


def _reproducer(
    read: Read, given: Arrays, shown: Arrays, judged: list[LayerVerdict]
) -> dict[str, Any]:
    """Collect the operands of the departing layer with the fewest elements of the first rule."""
    first = next((layer for layer in judged if layer.departs), None)
    if first is None:
        return {}
    alike = [layer for layer in judged if layer.departs and layer.rule == first.rule]
    chosen = min(alike, key=lambda layer: layer.elements)
    graph = read.graph
    node = next(n for n in graph.nodes if n.output == chosen.name)
    actual = {**given, **shown}
    for each in graph.nodes:
        if each.output not in actual:
            actual[each.output] = graph.answer(each, actual, _everything())
    alone = sub_graph(graph, node)
    arrays = {}
    for parameter, names in node.operands.items():
        for k, name in enumerate(names if isinstance(names, tuple) else (names,)):
            key = f"{parameter}{k}" if isinstance(names, tuple) else parameter
            data = graph.values[name].data
            arrays[key] = actual[name] if data is None else data
    fixed = [
        Value(v.name, v.dtype, actual[v.name].shape, v.scale, v.zero_point) if v.data is None else v
        for v in alone.values.values()
    ]
    alone = Graph(fixed, alone.nodes, alone.inputs, alone.outputs)
    try:
        content = write_tflite(alone) if read.ending == "tflite" else write_onnx(alone, "qdq")
    except NotSupportedError:
        content = None
    return {
        "layer": chosen.name, "files": read.ending, "content": content,
        "arrays": {**arrays, "output": shown[chosen.name]},
    }  # fmt: skip
