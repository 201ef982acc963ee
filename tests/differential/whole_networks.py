"""Whole networks by the recipes of PyTorch 2.13, compared with an installed PyTorch.

    python tests/differential/whole_networks.py

Six networks with the same weights and batches go through the workflow in PyTorch and here; scales,
zero points and all integers of the converted networks are compared, those of weights and those that
the layers return.
"""

import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import refquant

sys.path[:0] = [str(Path(__file__).parents[1])]
from differential.networks import NETWORKS, batches, build, groups, trained_state  # noqa: E402

RECIPES = ("default", "MinMax", "default for training")


class Integers(NamedTuple):
    """A quantized tensor: arrays of scales, of zero points, and of its integers."""

    scale: np.ndarray
    zero_point: np.ndarray
    codes: np.ndarray

    def agrees(self, other):
        """Return whether the quantizers are equal."""
        return np.array_equal(self.scale, other.scale) and np.array_equal(
            self.zero_point, other.zero_point
        )

    def is_close(self, other):
        """Return whether the quantizers differ by what float sums may move a scale, or not."""
        if self.scale.shape != other.scale.shape:
            return False
        near = np.abs(self.scale - other.scale) <= 1e-6 * self.scale
        return bool(near.all()) and np.array_equal(self.zero_point, other.zero_point)


class Call(NamedTuple):
    """What a layer was given and what it returned; `run` calls its operation again."""

    inputs: list[Integers]
    output: Integers
    layer: Any
    run: Any


@dataclass
class Result:
    """What a network gave under one recipe and engine.

    `scales` counts those of weights and of outputs, `moved` those of them that differ by at most
    1e-6, `wrong` names the others. `integers` counts those of weights and of layers whose weights
    have the same scales, given PyTorch's integers and scales; `parted` those that differ.
    `end_to_end` is the part of the integers that differ where the scale of the output agrees when
    the whole network runs, and what a moved scale has changed goes on to later layers.
    """

    scales: int = 0
    moved: int = 0
    wrong: list[str] = field(default_factory=list)
    integers: int = 0
    parted: int = 0
    end_to_end: float = 0.0


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


def _integers(q):
    per_channel = "channel" in str(q.qscheme())
    scale = q.q_per_channel_scales() if per_channel else q.q_scale()
    zero = q.q_per_channel_zero_points() if per_channel else q.q_zero_point()
    parts = [np.asarray(p if isinstance(p, float | int) else p.numpy()) for p in (scale, zero)]
    return Integers(*parts, q.int_repr().numpy())


def weights_of(model):
    """Collect the quantized weights by name."""
    return {
        f"{name}.weight": _integers(module.weight())
        for name, module in model.named_modules()
        if callable(getattr(module, "weight", None))
    }


def calls_of(library, model, x):
    """Run a converted model; collect the calls of its layers by name."""
    found = {}

    def keep(name, module, inputs, output, run):
        inputs = [_integers(q) for q in inputs if getattr(q, "is_quantized", False)]
        if getattr(output, "is_quantized", False):
            found[name] = Call(inputs, _integers(output), module, run)

    def watch(name, module, run):
        def operation(*inputs):
            output = run(*inputs)
            keep(name, module, inputs, output, run)
            return output

        return operation

    operations = [
        (name, module, operation)
        for name, module in model.named_modules()
        for operation in ("add", "add_relu", "forward")
        if hasattr(module, operation) and type(module).__name__ != "Identity"
        if not any(module.children()) or hasattr(module, "scale")
    ]
    for name, module, operation in operations:
        setattr(module, operation, watch(name, module, getattr(module, operation)))
    with library.no_grad():
        model(library.from_numpy(x))
    for _, module, operation in operations:
        delattr(module, operation)
    return found


def _codes(call, as_in):
    """Run a layer again with what one of PyTorch was given, and with its quantizers."""
    if not as_in.inputs:  # it reads floats, which are the same
        return call.output.codes
    if hasattr(call.layer, "scale"):
        call.layer.scale = float(as_in.output.scale)
        call.layer.zero_point = int(as_in.output.zero_point)
    inputs = [
        refquant._make_per_tensor_quantized_tensor(
            refquant.from_numpy(q.codes), float(q.scale), int(q.zero_point)
        )
        for q in as_in.inputs
    ]
    return _integers(call.run(*inputs)).codes


def compare(torch, name, recipe, engine, tested=4):
    """Compare one network; returns a `Result`."""
    state, _ = trained_state(name, torch)
    torch.backends.quantized.engine = engine
    result = Result()
    with refquant.engines.using(engine), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations, and heads without data
        theirs, ours = (convert(lib, name, recipe, engine, state) for lib in (torch, refquant))
        wanted, got = weights_of(theirs), weights_of(ours)
        runs = [
            [calls_of(lib, model, x) for lib, model in ((torch, theirs), (refquant, ours))]
            for x in batches(1024, tested)
        ]
        for place, found in ((wanted, got), *((w, g) for w, g in runs[:1])):
            result.wrong += sorted(place.keys() ^ found.keys())
            for layer in place.keys() & found.keys():
                a, b = (getattr(part[layer], "output", part[layer]) for part in (place, found))
                result.scales += 1
                result.moved += not a.agrees(b)
                result.wrong += [] if a.is_close(b) else [layer]
        for layer, weight in wanted.items():
            if layer in got and weight.agrees(got[layer]):
                result.integers += weight.codes.size
                result.parted += int((weight.codes != got[layer].codes).sum())
        whole = differing = 0
        for theirs_run, ours_run in runs:
            for layer in theirs_run.keys() & ours_run.keys():
                want, have = theirs_run[layer], ours_run[layer]
                if want.output.agrees(have.output):
                    whole += want.output.codes.size
                    differing += int((want.output.codes != have.output.codes).sum())
        for theirs_run, ours_run in runs:
            for layer in theirs_run.keys() & ours_run.keys():
                want, have, weight = theirs_run[layer], ours_run[layer], f"{layer}.weight"
                if weight in wanted and not wanted[weight].agrees(got[weight]):
                    continue
                if want.inputs or want.output.agrees(have.output):
                    result.integers += want.output.codes.size
                    result.parted += int((_codes(have, want) != want.output.codes).sum())
        result.end_to_end = differing / whole
    return result


def main():
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    print("network, recipe, engine: scales, moved, integers, parted, parted end to end; wrong")
    for name in NETWORKS:
        print(f"{name}: accuracy {trained_state(name, torch)[1]:.3f}")
        for recipe in RECIPES:
            for engine in ("fbgemm", "qnnpack"):
                r = compare(torch, name, recipe, engine)
                counts = f"{r.scales:3} {r.moved:3} {r.integers:8,} {r.parted:3} {r.end_to_end:.1e}"
                print(f"  {recipe:20} {engine:8} {counts}", *r.wrong)


if __name__ == "__main__":
    main()
