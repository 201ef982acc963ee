r"""Record what real runtimes answer to `runtime_cases`, and print the table runtime x operation.

Each runtime is run in a process of its own, so that it may have another Python: one that has
``ai-edge-litert==2.3.0``, ``tflite-micro``, ``onnxruntime==1.32``, ``onnx``, ``openvino`` and
``ncnn``, one that has ``tflite-runtime==2.14.0``, and one that has ``tosa-tools``; flatbuffers,
onnx and refquant are needed here::

    python tests/oracle/record_runtimes.py --python tflite-2.14=/one/bin/python \
        --python tosa=/other/bin/python [--seed S]

It writes ``recorded/RUNTIME.npz`` and the table of ``docs/oracle/runtimes.rst``; with a seed it
draws other cases, writes nothing, and exits with 1 if an answer differs from the engine of its
runtime: then a release has drifted, and the verdict of `refquant.oracle.diagnose_all` is printed.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from oracle import runtime_table
from oracle.judges import ncnn_files, onnx_files, onnx_float_files, tflite_files
from oracle.runtime_cases import cases, digest
from oracle.runtime_ties import ties
from oracle.test_runtimes import JUDGED, ONNX, RECORDED, TOSA, as_asked

from refquant import oracle

JUDGES = Path(__file__).with_name("judges")


def questions(runtime, drawn):
    """Collect models and what they are fed, or operands, by the numbers of the cases."""
    asked = {}
    for number, case in enumerate(drawn):
        if case.operation not in JUDGED[runtime]:
            continue
        case = as_asked(runtime, case)
        if runtime in TOSA:
            operation = np.frombuffer(case.operation.encode(), np.uint8)
            asked[number] = {"operation": operation, **case.operands}
            continue
        if runtime == "ncnn":
            text, weights, x = ncnn_files.model(case)
            parts = {"text": text, "weights": weights}
            bytes_of = {name: np.frombuffer(part, np.uint8) for name, part in parts.items()}
            asked[number] = {**bytes_of, "x": x}
            continue
        if runtime in ONNX:
            unfused = runtime == "onnxruntime-qdq-float"
            add = onnx_float_files.build if unfused else onnx_files.build
            content, feeds = onnx_files.model(case, add)
        else:
            content, feeds = tflite_files.model(case), tflite_files.feeds(case)
        arrays = {f"{k}": feed for k, feed in enumerate(feeds)}
        asked[number] = {"model": np.frombuffer(content, np.uint8), **arrays}
    return asked


def answers(runtime, python, asked, drawn):
    """Run models by a runtime, in a process of its own."""
    arrays = {
        f"{place}.{name}": np.asarray(value)
        for place, entry in enumerate(asked.values())
        for name, value in entry.items()
    }
    families = {"ncnn": "ncnn", **dict.fromkeys(ONNX, "onnx"), **dict.fromkeys(TOSA, "tosa")}
    family = families.get(runtime, "tflite")
    runner = JUDGES / f"{family}_runners.py"
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/questions.npz", f"{folder}/answers.npz"]
        np.savez(files[0], **arrays)
        subprocess.run([python, runner, runtime, *files], check=True, capture_output=True)
        with np.load(files[1]) as found:
            numbers = list(asked)
            refused = [
                f"{drawn[numbers[int(n.split('.')[0])]].operation}: {found[n].tobytes().decode()}"
                for n in found.files
                if n.endswith(".refused")
            ]
            if refused:
                raise SystemExit(f"{runtime}: {'; '.join(dict.fromkeys(refused))}")
            return {number: found[str(place)] for place, number in enumerate(asked)}


def judged(runtime, python, drawn):
    """Ask a runtime; returns its answers, and for each operation (differing, elements, ties)."""
    recorded, rows = {}, {}
    joined = {}
    found = answers(runtime, python, questions(runtime, drawn), drawn)
    for number, theirs in found.items():
        case = as_asked(runtime, drawn[number])
        if runtime in ONNX:
            theirs = onnx_files.in_order(case, theirs)
        elif runtime == "ncnn":
            theirs = ncnn_files.in_order(case, theirs)
        task = case.problem()
        recorded[f"{number}"] = theirs
        recorded[f"{number}.digest"] = np.int64(digest(case))
        differing, elements, near = rows.get(case.operation, (0, 0, 0))
        wrong, tied = int((task.run(runtime) != theirs).sum()), ties(case)
        near = None if tied is None else near + tied
        rows[case.operation] = differing + wrong, elements + theirs.size, near
        joined.setdefault(case.operation, []).append((theirs, task))
    for operation, (differing, *_) in rows.items():
        if differing:
            named = oracle.diagnose_all(joined[operation], runtime)
            verdict = "; or ".join(" and ".join(names) for names in named) or "unexplained"
            print(f"{runtime} {operation}: {differing:,} elements differ: {verdict}")
    return recorded, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of other cases; nothing is written")
    parser.add_argument("--only", nargs="*", choices=list(JUDGED), default=list(JUDGED))
    parser.add_argument("--python", action="append", default=[], metavar="PREFIX=PATH")
    options = parser.parse_args()
    pythons = dict(entry.split("=", 1) for entry in options.python)
    drawn, table = cases(options.seed or 0), {}
    for runtime in options.only:
        python = next((p for n, p in pythons.items() if runtime.startswith(n)), sys.executable)
        recorded, table[runtime] = judged(runtime, python, drawn)
        if options.seed is None:
            np.savez_compressed(RECORDED / f"{runtime}.npz", **recorded)
    print(runtime_table.text(table))
    if options.seed is None and options.only == list(JUDGED):
        runtime_table.write(table)
    differing = sum(row[0] for rows in table.values() for row in rows.values())
    raise SystemExit(1 if differing else 0)


if __name__ == "__main__":
    main()
