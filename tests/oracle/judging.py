"""Pose cases to real runtimes, and compare their answers with the engines that stand for them."""

import importlib
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from oracle.runtime_cases import digest
from oracle.runtime_ties import ties
from oracle.runtimes import FED_OPERANDS, JUDGED, NCNN, ONNX, TOSA, as_held

from refquant import oracle

JUDGES = Path(__file__).with_name("judges")
# What must be installed to write the files of a runtime, and to run it.
NEEDS = {
    "tflite-micro": ("flatbuffers", "ai_edge_litert", "tflite_micro"),
    **dict.fromkeys(
        ("litert-2.3-reference", "litert-2.3-optimized-x86", "xnnpack"),
        ("flatbuffers", "ai_edge_litert"),
    ),
    **dict.fromkeys(("onnx", "onnx-avx2", "onnxruntime-qdq-float"), ("onnx", "onnxruntime")),
    "onnx-reference": ("onnx",),
    **dict.fromkeys(NCNN, ("ncnn",)),
}
# By which runner their files are run; the others are those of TensorFlow Lite.
FAMILIES = {
    **dict.fromkeys(ONNX, "onnx"),
    **dict.fromkeys(TOSA, "tosa"),
    **dict.fromkeys(NCNN, "ncnn"),
    "executorch": "executorch",
}


def files(family):
    """Import what writes the files of a family of runtimes, whose packages may be missing."""
    return importlib.import_module(f"oracle.judges.{family}_files")


def questions(runtime, drawn):
    """Collect models and what they are fed, or operands, by the numbers of the cases."""
    posed = {}
    for number, case in enumerate(drawn):
        if case.operation not in JUDGED[runtime]:
            continue
        case = as_held(runtime, case)
        if runtime in FED_OPERANDS:
            operation = np.frombuffer(case.operation.encode(), np.uint8)
            posed[number] = {"operation": operation, **case.operands}
            continue
        if runtime in NCNN:
            text, weights, x = files("ncnn").model(case)
            parts = {"text": text, "weights": weights}
            bytes_of = {name: np.frombuffer(part, np.uint8) for name, part in parts.items()}
            posed[number] = {**bytes_of, "x": x}
            continue
        if runtime in ONNX:
            unfused = runtime == "onnxruntime-qdq-float"
            add = files("onnx_float").build if unfused else files("onnx").build
            content, feeds = files("onnx").model(case, add)
        else:
            content, feeds = files("tflite").model(case), files("tflite").feeds(case)
        arrays = {f"{k}": feed for k, feed in enumerate(feeds)}
        posed[number] = {"model": np.frombuffer(content, np.uint8), **arrays}
    return posed


def answers(runtime, python, posed, drawn):
    """Run models by a runtime, in a process of its own."""
    arrays = {
        f"{place}.{name}": np.asarray(value)
        for place, entry in enumerate(posed.values())
        for name, value in entry.items()
    }
    family = FAMILIES.get(runtime, "tflite")
    runner = JUDGES / f"{family}_runners.py"
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/questions.npz", f"{folder}/answers.npz"]
        np.savez(paths[0], **arrays)
        done = subprocess.run([python, runner, runtime, *paths], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{runtime} did not run:\n{done.stderr}")
        with np.load(paths[1]) as found:
            numbers = list(posed)
            rejected = [
                f"{drawn[numbers[int(n.split('.')[0])]].operation}: {found[n].tobytes().decode()}"
                for n in found.files
                if n.endswith(".rejected")
            ]
            if rejected:
                raise RuntimeError(f"{runtime}: {'; '.join(dict.fromkeys(rejected))}")
            return {number: found[str(place)] for place, number in enumerate(posed)}


def judged(runtime, python, drawn):
    """Run cases by a runtime.

    Returns
    -------
    recorded : dict
        Answers and digests of the cases.
    rows : dict
        For each operation how many elements differ, how many there are, and how many are ties.
    messages : list of str
        For each operation with differing elements the verdict.
    """
    recorded, rows = {}, {}
    joined = {}
    found = answers(runtime, python, questions(runtime, drawn), drawn)
    for number, theirs in found.items():
        case = as_held(runtime, drawn[number])
        if runtime in ONNX:
            theirs = files("onnx").in_order(case, theirs)
        elif runtime in NCNN:
            theirs = files("ncnn").in_order(case, theirs)
        task = case.problem()
        recorded[f"{number}"] = theirs
        recorded[f"{number}.digest"] = np.int64(digest(case))
        differing, elements, near = rows.get(case.operation, (0, 0, 0))
        wrong, tied = int((task.run(runtime) != theirs).sum()), ties(case)
        near = None if tied is None else near + tied
        rows[case.operation] = differing + wrong, elements + theirs.size, near
        joined.setdefault(case.operation, []).append((theirs, task))
    messages = [
        drift(runtime, operation, row, joined[operation])
        for operation, row in rows.items()
        if row[0]
    ]
    return recorded, rows, messages


def drift(runtime, operation, row, pairs):
    """Say how many answers differ, and which rules explain them now."""
    named = oracle.diagnose_all(pairs, runtime)
    verdict = "; or ".join(" and ".join(names) for names in named) or "unexplained"
    return f"{runtime} {operation}: {row[0]:,} of {row[1]:,} elements differ: {verdict}"
