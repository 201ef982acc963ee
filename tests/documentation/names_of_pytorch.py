"""List the public names of PyTorch 2.13's eager-mode quantization: ``docs/exactness/names.txt``.

Run it under PyTorch 2.13, and it prints the file. Modules are asked for their names, the dispatcher
for its kernels, the schemas for operations. What belongs to graph modes, other devices and sparse
layers, which no eager-mode program uses, is left out.
"""

import importlib
import types
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs" / "exactness" / "names.txt"

MODULES = (
    *("torch.ao.quantization", "torch.ao.quantization.qconfig"),
    *("torch.ao.quantization.quantization_mappings", "torch.ao.quantization._equalize"),
    *("torch.ao.quantization._correct_bias", "torch.ao.ns._numeric_suite"),
    *("torch.ao.nn.intrinsic", "torch.ao.nn.intrinsic.qat", "torch.ao.nn.intrinsic.quantized"),
    *("torch.ao.nn.intrinsic.quantized.dynamic", "torch.ao.nn.qat", "torch.ao.nn.qat.dynamic"),
    *("torch.ao.nn.quantizable", "torch.ao.nn.quantized", "torch.ao.nn.quantized.dynamic"),
    *("torch.ao.nn.quantized.functional", "torch.ao.nn.quantized.reference"),
)
# Graph modes, TorchScript, the tensors of torchao, and sparse layers.
ELSEWHERE = ("_jit", "script_", "Mapping", "_qconfig_mapping", "sparse", "SPARSE", "FXFloat")
TORCHAO = """
AffineQuantizedObserverBase Granularity MappingType PerAxis PerBlock PerGroup PerRow PerTensor
PerToken TorchAODType ZeroPointDomain get_block_size
"""
# Type aliases and the helpers of graph modes.
HELPERS = """
MatchAllNode ObserverOrFakeQuantize Pattern QConfigAny get_combined_dict get_fuser_method_new
NON_LEAF_MODULE_TO_ADD_OBSERVER_ALLOW_LIST
"""
# Kernels that only move memory, and one that no function reaches.
INTERNAL = {"aten::_reshape_alias", "aten::empty_strided", "aten::gelu_", "aten::set_"}
FUNCTIONS = """
_choose_qparams_per_tensor _empty_affine_quantized _empty_per_channel_affine_quantized
_fake_quantize_learnable_per_channel_affine _fake_quantize_learnable_per_tensor_affine
_fake_quantize_per_tensor_affine_cachemask_tensor_qparams _fused_moving_avg_obs_fq_helper
_make_per_channel_quantized_tensor _make_per_tensor_quantized_tensor _saturate_weight_to_fp16
choose_qparams_optimized dequantize empty_quantized fake_quantize_per_channel_affine
fake_quantize_per_tensor_affine fused_moving_avg_obs_fake_quant quantize_per_channel
quantize_per_tensor quantize_per_tensor_dynamic quantized_batch_norm quantized_gru
quantized_gru_cell quantized_lstm quantized_lstm_cell quantized_max_pool1d quantized_max_pool2d
quantized_max_pool3d quantized_rnn_relu_cell quantized_rnn_tanh_cell
"""
TYPES = """
quint8 qint8 qint32 quint4x2 quint2x4 per_tensor_affine per_tensor_symmetric per_channel_affine
per_channel_symmetric per_channel_affine_float_qparams
"""
METHODS = """
__deepcopy__ chunk clamp clone contiguous copy_ cpu data_ptr dequantize detach dim element_size eq
equal expand fill_ flip fmod gather index_put_ index_select int_repr is_contiguous is_quantized item
lt masked_fill masked_fill_ max mean min nelement new_empty new_tensor numpy permute
q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme relu
relu_ repeat reshape resize_ select sigmoid sort split squeeze std swapaxes T tanh to tolist topk
transpose unflatten unfold unsqueeze view where
"""


def of_module(path):
    """List the public names of a module that belong to eager-mode quantization."""
    module, skipped = importlib.import_module(path), {*TORCHAO.split(), *HELPERS.split()}
    for name in getattr(module, "__all__", None) or public(module):
        left_out = name in skipped or any(part in name for part in ELSEWHERE)
        if not left_out:
            yield f"{path}.{name}"


def public(module):
    """List what a module without ``__all__`` defines or passes on, but for modules and types."""
    for name, value in vars(module).items():
        of_types = getattr(value, "__module__", None) in ("typing", "collections.abc")
        if not (name.startswith("_") or of_types or isinstance(value, types.ModuleType)):
            yield name


def groups():
    """Map the heading of each group to its names."""
    import torch

    registered = torch._C._dispatch_get_registrations_for_dispatch_key("QuantizedCPU")
    kernels = {name.split(".")[0] for name in registered if name.startswith("aten::")}
    schemas = {schema.name for schema in torch._C._jit_get_all_schemas()}
    operations = {name.split("::")[1] for name in schemas if name.startswith("quantized::")}
    found = {path: list(of_module(path)) for path in MODULES}
    found["torch.ops.quantized"] = [
        f"torch.ops.quantized.{name}" for name in operations if "int4mm" not in name
    ]
    found["aten"] = list(kernels - INTERNAL)
    found["torch"] = ["torch." + name for name in FUNCTIONS.split() if hasattr(torch, name)]
    found["types"] = ["torch." + name for name in TYPES.split() if hasattr(torch, name)]
    found["methods"] = ["Tensor." + name for name in METHODS.split() if hasattr(torch.Tensor, name)]
    return {group: sorted(set(names)) for group, names in found.items()}


def text():
    """Return the text of the file."""
    parts = [f"[{group}]\n" + "\n".join(names) + "\n" for group, names in groups().items()]
    return "\n".join(parts)


def read():
    """Map the heading of each group to its names, as the file has them."""
    found = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            names = found.setdefault(line[1:-1], [])
        elif line:
            names.append(line)
    return found


if __name__ == "__main__":
    print(text(), end="")
