"""A program that uses every documented namespace, as its type checkers see it.

It is checked by ``mypy --strict`` and basedpyright, and it runs. The types that it declares are
what a user may rely on.
"""

import io
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import numpy.typing as npt

import refquant as torch
from refquant import engines, kernels, nn, optim, oracle, plotting, quantization, reporting
from refquant.nn import functional
from refquant.nn import intrinsic as nni
from refquant.nn import qat as nnqat
from refquant.nn import quantized as nnq
from refquant.nn.quantized import dynamic as nnqd
from refquant.ops import quantized as ops


class Net(nn.Module):
    """A small network with a residual sum."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.quant = quantization.QuantStub()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.sum = nnq.FloatFunctional()
        self.head = nn.Linear(width, 10)
        self.dequant = quantization.DeQuantStub()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the logits."""
        x = self.relu(self.norm(self.conv(self.quant(x))))
        x = self.sum.add(x, x)
        y: torch.Tensor = self.dequant(self.head(x.mean([2, 3])))
        return y


def tensors() -> torch.Tensor:
    """Make tensors, compute with them, and look at them."""
    x = torch.tensor([[1.0, -1.0], [0.5, 2.0]], dtype=torch.float32)
    y = (x + 1) * 2 - x / 3
    y = (2 - y) @ x.t() + 0.5 * x**2
    z: torch.Tensor = -y.reshape(4)[1:].abs().clamp(0.0, 3.0)
    mask: torch.Tensor = x > 0
    x[0, 0] = 3.0
    x += 1
    shape: tuple[int, ...] = x.shape
    size: torch.Size = x.size()
    number: float = float(x.sum())
    kind: torch.dtype = x.dtype
    scheme: torch.qscheme = torch.per_tensor_affine
    array: npt.NDArray[np.float32] = x.numpy()
    values, indices = torch.tensor([3.0, 1.0]).sort()
    first, _ = torch.tensor([[3.0, 1.0]]).max(dim=1)
    parts: list[torch.Tensor] = [row.contiguous(memory_format=torch.contiguous_format) for row in x]
    joined = torch.cat([torch.stack(parts).to(torch.float64), torch.zeros(1, 2).double()])
    assert shape == size == (2, 2)
    assert kind is torch.float
    assert scheme.is_per_channel is False
    assert array.dtype == np.float32
    assert mask.all().item() is False
    assert number == 8.5
    assert (values.tolist(), indices.tolist(), first.item()) == ([1.0, 3.0], [1, 0], 3.0)
    assert z.numel() == 3
    return joined


def gradients() -> torch.Tensor:
    """Differentiate."""
    x = torch.ones(3, requires_grad=True)
    loss = (x * torch.arange(3).float()).sum()
    loss.backward()
    with torch.no_grad():
        assert not torch.is_grad_enabled()
        x -= 0.1
    gradient = x.grad
    assert gradient is not None
    return gradient


def quantized_tensors() -> torch.QuantizedTensor:
    """Quantize, compute with integers, and come back."""
    x = torch.randn(4, 6)
    q = torch.quantize_per_tensor(x, scale=0.1, zero_point=10, dtype=torch.quint8)
    integers: torch.Tensor = q.int_repr()
    scale: float = q.q_scale()
    zero_point: int = q.q_zero_point()
    total: torch.QuantizedTensor = ops.add(q, q, 0.2, zero_point)
    total = ops.add_relu(total, q, scale, zero_point)
    weight = torch.quantize_per_channel(
        torch.randn(3, 6), torch.full((3,), 0.05).double(), torch.zeros(3).long(), 0, torch.qint8
    )
    packed = ops.linear_prepack(weight, torch.zeros(3))
    result: torch.QuantizedTensor = ops.linear(q, packed, 0.5, 64)
    real: torch.Tensor = result.dequantize()
    assert integers.dtype is torch.uint8
    assert real.shape == (4, 3)
    image = torch.quantize_per_tensor(torch.randn(1, 2, 4, 4), 0.1, 128, torch.quint8)
    pooled = functional.max_pool2d(image, 2)
    assert pooled.shape == (1, 2, 2, 2)
    return total


def functions() -> torch.Tensor:
    """Use functions of networks, float and quantized."""
    x = functional.relu(torch.randn(2, 8))
    logits = functional.linear(x, torch.randn(4, 8), torch.zeros(4))
    loss = functional.cross_entropy(logits, torch.tensor([0, 3]))
    weight = torch.quantize_per_tensor(torch.randn(4, 8), 0.02, 0, torch.qint8)
    q = torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)
    codes = nnq.functional.linear(q, weight, torch.zeros(4), scale=0.2, zero_point=3)
    assert codes.dequantize().shape == logits.shape
    total: torch.Tensor = functional.softmax(logits, dim=1).sum() + loss
    return total


def modules() -> None:
    """Make modules of every kind, and look into them."""
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), second=nn.Hardswish()))
    output: torch.Tensor = net(torch.randn(1, 2))
    assert output.shape == (1, 3)
    layers = nn.ModuleList([nn.Linear(3, 3), nn.Identity()])
    names = [name for name, _ in layers.named_parameters()]
    assert names == ["0.weight", "0.bias"]
    nn.init.normal_(net.first.weight, std=0.1)
    weight: nn.Parameter = nn.Linear(2, 2).weight
    bias: nn.Parameter | None = nn.Linear(2, 2, bias=False).bias
    assert weight.requires_grad
    assert bias is None
    quantized = nnq.Linear(2, 3)
    integers: torch.QuantizedTensor = quantized.weight()
    assert integers.dtype is torch.qint8
    dynamic = nnqd.Linear(2, 3)
    assert dynamic(torch.randn(1, 2)).shape == (1, 3)
    qat = nnqat.Linear(2, 3, qconfig=quantization.get_default_qat_qconfig("fbgemm"))
    assert qat(torch.randn(1, 2)).shape == (1, 3)
    fused = nni.LinearReLU(nn.Linear(2, 3), nn.ReLU())
    assert fused(torch.randn(1, 2)).shape == (1, 3)
    quantizer = nnq.Quantize(0.1, 0, torch.quint8)
    assert nnq.DeQuantize()(quantizer(torch.ones(1))).shape == (1,)
    handle = net.register_forward_hook(lambda module, inputs, result: None)
    handle.remove()


def calibrated() -> Net:
    """Take a model through the workflow after training."""
    model = quantization.fuse_modules(Net().eval(), [["conv", "norm", "relu"]])
    model.qconfig = quantization.QConfig(
        activation=quantization.HistogramObserver.with_args(reduce_range=True),
        weight=quantization.default_per_channel_weight_observer,
    )
    model.head.qconfig = quantization.get_default_qconfig("fbgemm")
    prepared = quantization.prepare(model)
    prepared = quantization.calibrate(prepared, [torch.randn(4, 1, 8, 8) for _ in range(2)])
    return quantization.convert(prepared)


def trained() -> Net:
    """Take a model through quantization-aware training."""
    model = quantization.fuse_modules_qat(Net().train(), [["conv", "norm", "relu"]])
    model.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    model = quantization.prepare_qat(model)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for _ in range(2):
        optimizer.zero_grad()
        loss: torch.Tensor = criterion(model(torch.randn(4, 1, 8, 8)), torch.randint(0, 10, (4,)))
        loss.backward()
        optimizer.step()
    model.apply(quantization.disable_observer)
    return quantization.convert(model.eval())


def observers() -> None:
    """Observe, fake-quantize and quantize dynamically."""
    observer = quantization.MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_symmetric)
    observer(torch.tensor([-1.0, 2.0]))
    scale, zero_point = observer.calculate_qparams()
    assert (scale.shape, zero_point.item()) == ((1,), 0)
    fake = quantization.FakeQuantize()
    rounded: torch.Tensor = fake(torch.randn(3))
    assert rounded.shape == (3,)
    model: nn.Sequential = quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)))
    assert isinstance(model[0], nnqd.Linear)
    print(len(quantization.summary(model)), "rows")


def saving(model: Net) -> None:
    """Save and load a state."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    missing, unexpected = model.load_state_dict(torch.load(file))
    assert missing == unexpected == []


def choices() -> None:
    """Choose engines and kernels."""
    chosen: str = torch.backends.quantized.engine
    torch.backends.quantized.engine = chosen
    supported: list[str] = torch.backends.quantized.supported_engines
    assert "qnnpack" in supported
    with engines.using("qnnpack"):
        record: engines.Engine = engines.current()
        name: str = torch.backends.quantized.engine
    assert record.name == name == "qnnpack"
    available: tuple[str, ...] = kernels.available()
    assert available[0] == "reference"
    with kernels.using("reference"):
        codes = kernels.dequantize_per_tensor
    assert callable(codes)
    torch.set_num_threads(torch.get_num_threads())


def checks() -> None:
    """Check a backend."""
    codes = np.arange(256, dtype=np.uint8)
    a = torch.QuantizedTensor(codes, torch.quint8, 0.25, 128)
    b = torch.QuantizedTensor(codes[::-1].copy(), torch.quint8, 0.75, 101)
    real = (codes.astype(float) - 128) * 0.25 + (codes[::-1].astype(float) - 101) * 0.75
    mine = np.clip(np.floor(real + 0.5) + 100, 0, 255).astype(int)
    diagnosis: oracle.Diagnosis = oracle.diagnose(mine, "add", a, b, 1.0, 100, engine="fbgemm")
    verdict: str = diagnosis.verdict
    assert verdict == "rounding: half_even -> half_up"
    legality: oracle.Legality = oracle.legality(mine, "add", a, b, 1.0, 100)
    print(legality)
    print(oracle.trace("add", a, b, 1.0, 100, index=(3,)))


def pictures_and_reports(model: Net) -> None:
    """Draw, and report what quantization cost."""
    axes = plotting.value_histogram(np.linspace(-1.0, 1.0, 100), 0.01, 0, torch.qint8)
    axes.figure.clear()
    original = quantization.fuse_modules(Net().eval(), [["conv", "norm", "relu"]])
    batches = [torch.randn(2, 1, 8, 8)]
    comparison: reporting.Comparison = reporting.compare(original, model, batches)
    with tempfile.TemporaryDirectory() as folder:
        torch.report(original, model, batches, Path(folder) / "report.html")
    names: list[str] = [layer.name for layer in comparison.layers]
    assert names[0] == "quant"


def main() -> None:
    """Run everything."""
    torch.manual_seed(0)
    print(tensors().shape, gradients().tolist(), quantized_tensors().q_scale())
    print(functions().dim())
    modules()
    observers()
    model = calibrated()
    assert trained()(torch.randn(1, 1, 8, 8)).shape == model(torch.randn(1, 1, 8, 8)).shape
    saving(model)
    choices()
    checks()
    pictures_and_reports(model)
    torch.show_config()


if __name__ == "__main__":
    main()
