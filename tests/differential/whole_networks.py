"""Whole networks by the recipes of PyTorch 2.13, compared with an installed PyTorch.

    python tests/differential/whole_networks.py

Six networks with the same weights and batches go through the workflow in PyTorch and here; scales,
zero points and all integers of the converted networks are compared, those of weights and those that
the layers return.
"""

import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

import refquant

sys.path[:0] = [str(Path(__file__).parents[1])]
from differential.networks import NETWORKS, batches, build, groups, trained_state  # noqa: E402

RECIPES = ("default", "MinMax", "default for training")
TESTED = 4


class Result(NamedTuple):
    """What one network and recipe gave: counts of layers, and of integers where scales agree."""

    layers: int
    moved: int
    wrong: int
    integers: int
    parted: int


def _namespace(library):
    if library is refquant:
        return refquant.nn, refquant.quantization, refquant.nn.quantized.FloatFunctional
    return library.nn, library.ao.quantization, library.ao.nn.quantized.FloatFunctional


def convert(library, name, recipe, engine, state):
    """Take a network through the workflow of a library."""
    nn, quantization, functional = _namespace(library)
    model = build(name, nn, quantization, functional)
    tensors = {key: library.from_numpy(value.copy()) for key, value in state.items()}
    model.load_state_dict(tensors)
    data = [library.from_numpy(x) for x in batches(0, 6)]
    if recipe == "default for training":
        qat = nn.intrinsic.qat if library is refquant else library.ao.nn.intrinsic.qat
        model = quantization.fuse_modules_qat(model.train(), groups(model))
        model.qconfig = quantization.get_default_qat_qconfig(engine)
        model = quantization.prepare_qat(model)
        model.apply(qat.freeze_bn_stats)
    else:
        model = quantization.fuse_modules(model.eval(), groups(model))
        model.qconfig = quantization.get_default_qconfig(engine)
        if recipe == "MinMax":
            reduced = quantization.MinMaxObserver.with_args(reduce_range=engine == "fbgemm")
            model.qconfig = quantization.QConfig(reduced, model.qconfig.weight)
        model = quantization.prepare(model)
    with library.no_grad():
        for x in data:
            model(x)
    return quantization.convert(model.eval())


def integers_of(library, model, x):
    """Collect quantizers and integers by name: of weights, and of what modules return."""
    found = {}

    def keep(name, q):
        per_channel = "channel" in str(q.qscheme())
        scale = q.q_per_channel_scales() if per_channel else q.q_scale()
        zero = q.q_per_channel_zero_points() if per_channel else q.q_zero_point()
        parts = [np.asarray(p if isinstance(p, float | int) else p.numpy()) for p in (scale, zero)]
        found[name] = (*parts, q.int_repr().numpy())

    def watch(name):
        def hook(module, inputs, output):
            if getattr(output, "is_quantized", False):
                keep(name, output)

        return hook

    for name, module in model.named_modules():
        module.register_forward_hook(watch(name))
        if callable(getattr(module, "weight", None)):
            keep(f"{name}.weight", module.weight())
    with library.no_grad():
        model(library.from_numpy(x))
    return found


def compare(torch, name, recipe, engine):
    """Compare one network; returns a `Result` and the names of layers that are wrong."""
    state, _ = trained_state(name, torch)
    torch.backends.quantized.engine = engine
    with refquant.engines.using(engine), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations, and heads without data
        models = [(lib, convert(lib, name, recipe, engine, state)) for lib in (torch, refquant)]
        wrong, moved, integers, parted = [], set(), 0, 0
        for x in batches(1024, TESTED):
            wanted, got = (integers_of(lib, model, x) for lib, model in models)
            if wanted.keys() != got.keys():
                wrong += sorted(wanted.keys() ^ got.keys())
            for layer in wanted.keys() & got.keys():
                scale, zero, codes = wanted[layer]
                ours, zero_point, own = got[layer]
                if scale.shape != ours.shape or not np.array_equal(zero, zero_point):
                    wrong.append(layer)
                elif not np.array_equal(scale, ours):
                    moved.add(layer)
                    if (np.abs(scale - ours) > 1e-6 * scale).any():
                        wrong.append(layer)
                else:
                    integers += codes.size
                    parted += int((codes != own).sum())
    return Result(len(wanted), len(moved), len(set(wrong)), integers, parted), sorted(set(wrong))


def main():
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    print("network, recipe, engine: layers and weights, moved scales, wrong, integers, parted")
    for name in NETWORKS:
        print(f"{name}: accuracy {trained_state(name, torch)[1]:.3f}")
        for recipe in RECIPES:
            for engine in ("fbgemm", "qnnpack"):
                result, wrong = compare(torch, name, recipe, engine)
                print(f"  {recipe}, {engine}:", *result, *wrong)


if __name__ == "__main__":
    main()
