"""Every public callable meets hostile values: it works, or raises an error that is documented."""

import importlib.util
import inspect
import shutil

import pytest
from errors import calls, hostile, recording
from errors.outcomes import limited, outcome, remember, replaced

pytestmark = pytest.mark.skipif(
    not calls.DOCS.exists(), reason="the tests are not in a source tree"
)
TARGETS = calls.targets() if calls.DOCS.exists() else []
# What subclasses define, and what quantized tensors, histograms and weights in tensors never have.
ALWAYS_ERRORS = {
    "refquant.nn.module.Module.forward",
    "refquant.nn.quantized.functional_modules._Methods.forward",
    "refquant.ops.quantized.linear_prepack_fp16_legacy",
    "refquant.ops.quantized.linear_prepack_legacy",
    "refquant.optim.lr_scheduler.LRScheduler",
    "refquant.optim.schedules.LRScheduler.get_lr",
    "refquant.quantization.observers.base.ObserverBase.calculate_qparams",
    "refquant.quantization.observers.histogram.HistogramObserver.reset_min_max_vals",
    "refquant.tensors.quantized.QuantizedTensor.numpy",
    "refquant.utils.data.dataset.Dataset.__getitem__",
    "refquant.utils.data.dataset.IterableDataset.__iter__",
    "refquant.utils.data.sampler.Sampler.__iter__",
}
if importlib.util.find_spec("torch") is None:
    ALWAYS_ERRORS.add("refquant.to_torch")
if importlib.util.find_spec("ipywidgets") is None:
    ALWAYS_ERRORS.add("refquant.plotting.sliders")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Record valid calls; returns the folder with the files that examples write."""
    folder = tmp_path_factory.mktemp("examples")
    recording.record(TARGETS, folder)
    return folder


@pytest.fixture
def surroundings(recorded, tmp_path, monkeypatch):
    """Restore what a call may change for the whole process."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    with limited():
        restore = remember()
        yield restore
        restore()


def test_calls_of_examples_succeed(recorded):
    """Otherwise a hostile value would meet the error of another argument."""
    assert {target.name for target in TARGETS if not target.works} == ALWAYS_ERRORS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_hostile_values_raise_documented_errors_only(target, surroundings):
    """One argument at a time is hostile, the others are those of the example."""
    assert target.arguments is not None, "no example calls it; give it one"
    faults = []
    for name in target.arguments:
        kind = target.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            continue
        for title, make in hostile.VALUES.items():
            value = make()
            if target.is_own(name) and not isinstance(value, target.owner):
                continue
            _, found = outcome(target, replaced(target, name, value), target.engine)
            surroundings()
            if found:
                faults.append(f"{name} = {title}: {found}")
    assert not faults, f"{len(faults)} undocumented:\n" + "\n".join(faults)
