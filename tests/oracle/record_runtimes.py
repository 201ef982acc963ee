r"""Record what real runtimes answer to `runtime_cases`, and print the table runtime x operation.

Each runtime is run in a process of its own, so that it may have another Python: one that has
``ai-edge-litert==2.3.0``, ``tflite-micro``, ``onnxruntime==1.32``, ``onnx``, ``openvino`` and
``ncnn``, one that has ``tflite-runtime==2.14.0``, one that has ``tosa-tools``, and one that has
``executorch==1.5.1`` and ``torch==2.13.0``; flatbuffers, onnx and refquant are needed here::

    python tests/oracle/record_runtimes.py --python tflite-2.14=/one/bin/python \
        --python tosa=/other/bin/python --python executorch=/third/bin/python [--seed S]

It writes ``recorded/RUNTIME.npz``, and from all recordings the table of
``docs/oracle/runtimes.rst`` and a page for each runtime. Runtimes that compute differently on other
processors are left out, and so keep their recordings. With a seed it draws other cases, writes
nothing, and exits with 1 if an answer differs from the engine of its runtime: then a release has
drifted, and the verdict of `refquant.oracle.diagnose_all` is printed.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from oracle import processors, recordings, runtime_pages, runtime_table
from oracle.judging import judged
from oracle.runtime_cases import cases
from oracle.runtimes import JUDGED, RECORDED


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of other cases; nothing is written")
    able = [runtime for runtime in JUDGED if processors.here(runtime)]
    parser.add_argument("--only", nargs="*", choices=able, default=able)
    parser.add_argument("--python", action="append", default=[], metavar="PREFIX=PATH")
    options = parser.parse_args()
    pythons = dict(entry.split("=", 1) for entry in options.python)
    drawn, table = cases(options.seed or 0), {}
    for runtime in options.only:
        python = next((p for n, p in pythons.items() if runtime.startswith(n)), sys.executable)
        recorded, table[runtime], messages = judged(runtime, python, drawn)
        print(*messages, sep="\n", end="\n" if messages else "")
        if options.seed is None:
            np.savez_compressed(RECORDED / f"{runtime}.npz", **recorded)
    print(runtime_table.text(table))
    if options.seed is None:  # the others as they were recorded, perhaps on another processor
        whole = {runtime: recordings.rows(runtime) for runtime in JUDGED}
        runtime_table.write(whole)
        runtime_pages.write(whole)
    differing = sum(row[0] for rows in table.values() for row in rows.values())
    raise SystemExit(1 if differing else 0)


if __name__ == "__main__":
    main()
