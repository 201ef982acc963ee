"""What importing refquant does to a process, and what it does not do."""

import multiprocessing
import os
import subprocess
import sys

import pytest
from processes import output, run

from refquant import kernels

FOREIGN = """
import os
import sys
before = set(sys.modules)
import refquant
# Cython's runtime makes modules without a specification, which are imported from nowhere.
specs = [getattr(sys.modules[name], "__spec__", None) for name in set(sys.modules) - before]
new = {spec.name.partition(".")[0] for spec in specs if spec is not None}
print(*sorted(new - set(sys.stdlib_module_names)))
"""
LAZY = """
import os
import sys
import refquant
print(*sorted(name for name in sys.modules if name.startswith("refquant.")))
"""
WANTED = {
    "refquant": "nn optim oracle plotting ptq quantization reporting load report save show_config",
    "refquant.nn": "Linear Module functional init intrinsic qat quantized utils",
    "refquant.nn.intrinsic": "ConvReLU2d qat quantized",
    "refquant.nn.quantized": "Conv2d MaxPool2d dynamic functional",
    "refquant.quantization": "QConfig convert observer",
}
LISTED = """
import importlib
import os
import sys
package = importlib.import_module("{package}")
before = set(sys.modules)
listed = dir(package)
print(*listed)
print(*sorted(set(sys.modules) - before))
for name in listed:
    getattr(package, name)
try:
    package.no_such_name
except Exception as error:
    print(type(error).__name__)
"""
SUBNORMAL = """
import os
import sys
import threading
import numpy as np
import refquant
x = refquant.from_numpy(np.ones(1 << 20, np.float32))
refquant.quantize_per_tensor(x, 0.1, 0, refquant.quint8).dequantize()
kept = []
def look():
    smallest = np.float32(1.1754944e-38)
    kept.append(sys.float_info.min / 2 != 0 and (np.full(64, smallest) / np.float32(4) != 0).all())
look()
thread = threading.Thread(target=look)
thread.start()
thread.join()
print(*kept)
"""
THREADS = "import refquant; print(refquant.get_num_threads())"
WORKER = """
import multiprocessing
import refquant
def work():
    import numpy as np
    x = refquant.from_numpy(np.ones(1 << 20, np.float32))
    q = refquant.quantize_per_tensor(x, 0.1, 0, refquant.quint8)
    return refquant.get_num_threads(), int(q.int_repr().numpy().sum())
if __name__ == "__main__":
    refquant.set_num_threads(2)
    work()
    with multiprocessing.get_context("{method}").Pool(1) as pool:
        print(pool.apply({function}))
"""


def test_import_needs_nothing_but_numpy():
    assert output(FOREIGN) == ["numpy refquant"]


def test_import_leaves_modules_and_workflow_for_later():
    loaded = output(LAZY)[0].split()
    for later in ("nn", "optim", "quantization", "observers", "workflow", "plotting", "cli"):
        assert f"refquant.{later}" not in loaded


@pytest.mark.parametrize(
    "package",
    ["refquant", "refquant.nn", "refquant.nn.intrinsic", "refquant.nn.quantized",
     "refquant.quantization"],
)  # fmt: skip
def test_names_that_are_imported_when_first_used_are_listed(package):
    listed, loaded, unknown = output(LISTED.format(package=package))
    assert set(WANTED[package].split()) <= set(listed.split())
    assert loaded == ""
    assert unknown == "AttributeError"


def test_float_modules_are_in_the_namespace_of_their_package():
    """Programs look them up with ``vars()``, or evaluate a printed module there."""
    assert output("import os\nimport sys\nfrom refquant import nn\nprint('ReLU' in vars(nn))") == [
        "True"
    ]


def test_import_and_kernels_leave_subnormal_numbers_alone():
    assert output(SUBNORMAL) == ["True True"]


def test_import_writes_nothing():
    assert output("import refquant", "-W", "error", REFQUANT_KERNELS="reference") == []


def test_threads_follow_the_environment():
    wanted = "3" if len(kernels.available()) > 1 else "1"
    assert output(THREADS, "-W", "ignore", OMP_NUM_THREADS="3") == [wanted]


@pytest.mark.parametrize(
    ("value", "threads"),
    [("4,2", 4), (" 3 , 1", 3), ("99999", 1024), ("0", None), ("abc", None), ("-2", None),
     ("", None), (",", None), ("2.5", None), ("\u0664", None), ("9" * 30, None)],
)  # fmt: skip
def test_no_value_for_openmp_keeps_refquant_from_being_imported(value, threads):
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    wanted = (threads or cores) if len(kernels.available()) > 1 else 1
    assert output(THREADS, "-W", "ignore", OMP_NUM_THREADS=value)[-1:] == [str(wanted)]


@pytest.mark.parametrize("name", ["REFQUANT_KERNELS", "REFQUANT_DISABLE_CPU_FEATURES"])
def test_nonsense_in_a_variable_is_named_with_what_is_possible(name):
    done = run("import refquant", **{name: "avx9000;\u0664"})
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "KernelError" in last
    assert "avx9000" in last
    assert "baseline" in last or "one of reference" in last


def test_a_spawned_worker_uses_one_thread():
    code = WORKER.format(method="spawn", function="refquant.get_num_threads")
    assert output(code, "-W", "ignore") == ["1"]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system cannot fork")
def test_a_forked_worker_uses_one_thread():
    """Also after the parent has used several: the child has none of them."""
    code = WORKER.format(method="fork", function="work")
    assert output(code, "-W", "ignore") == [f"(1, {10 << 20})"]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_worker_uses_one_thread_if_its_main_program_imports_refquant(tmp_path, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"{method} is not there")
    script = tmp_path / "program.py"
    script.write_text(WORKER.format(method=method, function="refquant.get_num_threads"))
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", str(script)], capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["1"], done.stderr


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system cannot fork")
@pytest.mark.skipif(len(kernels.available()) == 1, reason="without kernels there is one thread")
def test_a_forked_process_that_asks_for_threads_is_told_what_to_do():
    code = WORKER.format(method="fork", function="ask").replace(
        "def work", "def ask():\n    refquant.set_num_threads(1)\n"
        "    try: refquant.set_num_threads(2)\n"
        "    except refquant.errors.KernelError as error: return str(error)\ndef work"
    )  # fmt: skip
    assert "'spawn'" in output(code, "-W", "ignore")[0]


def test_python_is_recent_enough():
    assert sys.version_info >= (3, 11)
