"""What refquant runs on: versions, processor, kernels, threads, engine."""

import argparse
import os
import platform

import numpy as np

import refquant
from refquant import engines, kernels

__all__ = ["configuration", "run", "show_config"]

_VARIABLES = ("REFQUANT_KERNELS", "REFQUANT_DISABLE_CPU_FEATURES", "OMP_NUM_THREADS")


def configuration() -> dict[str, str]:
    """Collect what results do not depend on and speed does, and the engine, which decides both.

    Returns
    -------
    dict of str to str
        In the order in which `show_config` prints it.

    Examples
    --------
    >>> from refquant.configuration import configuration
    >>> configuration()["engine"]
    'fbgemm (FBGEMM, x86 servers, as of PyTorch 2.13)'
    """
    engine = engines.current()
    found = {
        "refquant": refquant.__version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "NumPy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "kernels": kernels.current(),
        "kernels to choose from": ", ".join(kernels.available()),
        "kernel families": ", ".join(kernels.FAMILIES),
        "threads": str(kernels.get_num_threads()),
        "engine": f"{engine.name} ({engine.title})",
        "engines to choose from": ", ".join(engines.names()),
    }
    found.update({name: os.environ[name] for name in _VARIABLES if name in os.environ})
    return found


def show_config() -> None:
    """Print versions, processor, kernels, threads, engine and the variables that chose them.

    Examples
    --------
    >>> import refquant
    >>> refquant.show_config()  # doctest: +ELLIPSIS
    refquant                ...
    """
    found = configuration()
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value}")


def run(options: argparse.Namespace) -> None:
    """Run ``refquant config``."""
    show_config()
