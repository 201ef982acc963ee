"""What runs here: versions, kernels, threads, engine, compiler."""

import argparse
import json
import os
import platform
from importlib import import_module
from typing import Any

import numpy as np

from refquant import arguments, engines, kernels
from refquant._version import __version__

__all__ = ["ENVIRONMENT", "run", "show_config"]

# Variables that refquant reads, at import or while it is built.
ENVIRONMENT = (
    "REFQUANT_KERNELS",
    "REFQUANT_DISABLE_CPU_FEATURES",
    "OMP_NUM_THREADS",
    "REFQUANT_PURE_PYTHON",
    "REFQUANT_REQUIRE_EXT",
    "REFQUANT_NO_OPENMP",
    "REFQUANT_VARIANTS",
    "REFQUANT_SANITIZE",
)


def show_config(as_dict: bool = False) -> dict[str, Any] | None:
    """Show versions, kernels, threads, engine and compiler, as a bug report needs them.

    Parameters
    ----------
    as_dict : bool, default False
        Return a dict instead of printing.

    Returns
    -------
    dict or None
        The same facts, as strings, numbers, lists and dicts.

    Examples
    --------
    >>> import refquant
    >>> config = refquant.show_config(as_dict=True)
    >>> config["engine"] == refquant.engines.current().name
    True
    >>> sorted(config["kernels"])
    ['available', 'built', 'chosen', 'families', 'supported']
    """
    as_dict = arguments.flag("as_dict", as_dict)
    facts = _facts()
    if as_dict:
        return facts
    print("\n".join(_lines(facts)))
    return None


def _facts() -> dict[str, Any]:
    built = kernels.built()
    supported, compiler, openmp, flags = (), None, None, {}
    if built:
        cpu = import_module("refquant._kernels._cpu")
        supported = cpu.supported_variants()
        compiler, openmp, flags = cpu.build()
        flags = {name: " ".join(words) for name, words in json.loads(flags).items()}
    return {
        "refquant": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "kernels": {
            "chosen": kernels.current(),
            "available": list(kernels.available()),
            "built": list(built),
            "supported": list(supported),
            "families": dict.fromkeys(kernels.FAMILIES, kernels.running()),
        },
        "threads": kernels.get_num_threads(),
        "floating point": kernels.describe_environment(),
        "openmp": openmp or None,
        "engine": engines.current().name,
        "engines": list(engines.names()),
        "compiler": compiler,
        "flags": flags,
        "environment": {name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
    }


def _lines(facts: dict[str, Any]):
    """Write one line for each fact; nested facts are indented below their name."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield f"{name}:" if value else f"{name}: none"
            yield from (f"  {line}" for line in _lines(value))
        elif isinstance(value, list):
            yield f"{name}: {', '.join(value) or 'none'}"
        else:
            yield f"{name}: {'none' if value is None else value}"


def run(options: argparse.Namespace) -> None:
    """Run ``refquant config``."""
    show_config()
