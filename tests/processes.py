"""Run a few lines of Python in a subprocess."""

import os
import subprocess
import sys

VARIABLES = (
    "REFQUANT_KERNELS",
    "REFQUANT_DISABLE_CPU_FEATURES",
    "OMP_NUM_THREADS",
    "PYTHONPATH",
    "PYTHONWARNINGS",
)


def run(code, *options, package=None, **environment):
    """Run `code`; returns the finished process with its output as text.

    The variables that refquant reads are unset unless they are given. `package` is a folder to
    import from before any other, without what an editable installation would add to it.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if package is not None:
        code = (
            f"import sys; sys.path.insert(0, {str(package)!r});"
            "sys.meta_path[:] = [f for f in sys.meta_path if 'Editable' not in str(f)]\n" + code
        )
    return subprocess.run(
        # -P: the folder of a source tree must not hide the package that is installed
        [sys.executable, "-P", *options, "-c", code],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def output(code, *options, **environment):
    """Run `code` as `run` does; it must succeed. Returns the lines that it printed."""
    done = run(code, *options, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
