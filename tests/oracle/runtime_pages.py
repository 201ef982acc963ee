"""A page for each runtime: what it is, how it was judged, and which elements were compared."""

from oracle.runtime_table import PAGE
from oracle.runtimes import JUDGED

from refquant import engines

FOLDER = PAGE.with_suffix("")
_LITERT = "``ai-edge-litert`` 2.3.0"
_TFLITE = "one-operator ``.tflite`` files, written with the classes of its schema"
_ONNX = "one-operator ``.onnx`` files"
# What each runtime is, and what its judge is fed.
ABOUT = {
    "litert-2.3-reference": (f"{_LITERT}, ``OpResolverType.BUILTIN_REF``", _TFLITE),
    "litert-2.3-optimized-x86": (
        f"{_LITERT}, ``OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES``", _TFLITE,
    ),
    "tflite-2.14-reference": (
        "``tflite-runtime`` 2.14.0, ``OpResolverType.BUILTIN_REF``, with NumPy 1", _TFLITE,
    ),
    "tflite-2.14-optimized-x86": (
        "``tflite-runtime`` 2.14.0, ``OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES``", _TFLITE,
    ),
    "tflite-micro": ("``tflite-micro`` of October 2026, portable kernels", _TFLITE),
    "xnnpack": (f"XNNPACK as the default delegate of {_LITERT}", _TFLITE),
    "executorch": (
        "``executorch`` 1.5.1 with PyTorch 2.13.0, its XNNPACK backend",
        "programs of ``torch.export`` with quantized graphs, which the backend takes whole",
    ),
    "onnx": ("``onnxruntime`` 1.32.0, QLinear operators", _ONNX),
    "onnx-avx2": ("``onnxruntime`` 1.32.0, QLinear operators, without VNNI", _ONNX),
    "onnxruntime-qdq-float": (
        "``onnxruntime`` 1.32.0 without graph optimization, one thread",
        f"{_ONNX}, the operator between DequantizeLinear and QuantizeLinear",
    ),
    "onnx-reference": ("``onnx`` 1.23.2, ``ReferenceEvaluator``", _ONNX),
    "openvino-u8": ("``openvino`` 2026.4", _ONNX),
    "ncnn": (
        "``ncnn`` 1.0.20261020, one thread, without 16-bit storage", "models in its text format",
    ),
    "ncnn-amd-avx2": (
        "``ncnn`` 1.0.20261020 on an AMD EPYC, one thread, without 16-bit storage",
        "models in its text format",
    ),
    "tosa-double": (
        "``tosa-tools`` 2026.8, Arm's reference model, RESCALE with DOUBLE_ROUND",
        "graphs to which operators of TensorFlow Lite are lowered",
    ),
    "tosa-single": (
        "``tosa-tools`` 2026.8, Arm's reference model, RESCALE with SINGLE_ROUND",
        "graphs to which operators of TensorFlow Lite are lowered",
    ),
}  # fmt: skip


def _sources(runtime: str) -> list[str]:
    """List where the rules of an engine are described, but for those of PyTorch."""
    named = dict.fromkeys(rule.source for rule in engines.get(runtime).rules)
    known = (
        "composed from axes",
        "FBGEMM",
        "PyTorch",
        "ATen",
        "oneDNN",
        "QNNPACK",
        "std::",
        "mathematics",
    )
    return [source for source in named if source and not any(word in source for word in known)]


def page(runtime: str, rows: dict) -> str:
    """Write the page of a runtime; `rows` counts by operation, as the table has them."""
    what, fed = ABOUT[runtime]
    total = sum(row[1] for row in rows.values())
    lines = [
        runtime, "=" * len(runtime), "", f"{engines.get(runtime).title}.", "", "Software",
        f"   {what}.", "Judge", f"   {fed}; a process of its own runs them.", "Elements",
        f"   {total:,}, of {len(rows)} operations.", "Sources of the rules",
        *(f"   * {source}" for source in _sources(runtime)), "", ".. list-table::",
        "   :header-rows: 1", "", "   * - operation", "     - compared", "     - differ",
        "     - ties",
    ]  # fmt: skip
    for operation, (differing, elements, near) in rows.items():
        share = "" if near is None else f"{near / elements:.0%}"
        lines += [f"   * - {operation}", f"     - {elements:,}", f"     - {differing:,}"]
        lines.append(f"     - {share}".rstrip())
    return "\n".join(lines) + "\n"


def write(table) -> None:
    """Write the pages of all runtimes."""
    FOLDER.mkdir(exist_ok=True)
    for runtime in JUDGED:
        text = page(runtime, table[runtime])
        (FOLDER / f"{runtime}.rst").write_text(text, encoding="utf-8")
