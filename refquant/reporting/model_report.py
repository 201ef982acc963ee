"""The report on a quantized model, as a page."""

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from refquant import arguments
from refquant._operation import operation_name
from refquant.extras import require_extra
from refquant.progress import track
from refquant.reporting import figures
from refquant.reporting.comparison import Comparison, compare
from refquant.reporting.float_layers import gains_in_float
from refquant.reporting.measures import agreement, decibel_text, parameter_bytes
from refquant.reporting.page import Page
from refquant.reporting.pictures import drawing
from refquant.reporting.recommendations import advice
from refquant.reporting.tables import Table

__all__ = ["report", "worst_layers"]

WORTH = 0.1  # dB; less is not worth a layer in float


def report(
    float_model: Any,
    quantized_model: Any,
    batches: Iterable[Any],
    path: str | os.PathLike = "report.html",
    *,
    title: str = "What quantization costs",
    run: Callable[[Any, Any], Any] | None = None,
    progress: bool = True,
) -> Comparison:
    """Run a float model beside its quantized form and write a page about the differences.

    The page is one self-contained HTML file. For every layer it shows the error that the layer adds
    and the accumulated error, as root mean square and as
    signal-to-quantization-noise ratio, histograms of activations and weights, how many values
    are clipped and how many integers lie at the ends of their range, recommendations for the
    five worst layers, and which layers to keep in float, by what the output gains. It needs
    matplotlib, the extra ``plot``.

    Parameters
    ----------
    float_model : Module
        As before `prepare`, fused or not; layers are matched by name.
    quantized_model : Module
        What ``convert``, ``quantize`` or ``quantize_dynamic`` made of it. Both models run in
        evaluation mode and without gradients; afterwards they are as before.
    batches : iterable
        Each is an input of the models, or a pair of input and target; read once. Use data that
        calibration has not seen.
    path : str or path-like, default 'report.html'
        The file. It is written completely or not at all; an existing one is replaced.
    title : str, optional
        Title of the page.
    run : callable, optional
        Called as ``run(model, batch)`` to run a batch of another form and return the output.
    progress : bool, default True
        Whether to draw progress bars where standard error is a terminal.

    Returns
    -------
    Comparison
        The numbers of the page, shown as a table.

    Raises
    ------
    ArgumentError
        If there is no batch, or the layers of the models do not correspond.
    ArgumentTypeError
        If one of the models is not a Module.
    MissingExtraError
        If matplotlib is not installed.
    OSError
        If `path` cannot be written; this is checked before the models run.

    See Also
    --------
    refquant.reporting.compare : The same numbers without a page.

    Examples
    --------
    >>> import os, tempfile
    >>> import refquant
    >>> from refquant.quantization import quantize_dynamic
    >>> _ = refquant.manual_seed(0)
    >>> model = refquant.nn.Sequential(refquant.nn.Linear(8, 4)).eval()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = os.path.join(folder, "report.html")
    ...     batches = [refquant.randn(16, 8)]
    ...     comparison = refquant.report(model, quantize_dynamic(model), batches, page)
    ...     os.path.getsize(page) > 10_000
    True
    >>> comparison.sqnr > 30
    True
    """
    require_extra("matplotlib", package="matplotlib", extra="plot")
    title = arguments.text("title", title)
    progress = arguments.flag("progress", progress)
    path = arguments.file_path("path", path)
    _try_writing(path)
    batches = list(arguments.iterable("batches", batches))
    comparison = compare(
        float_model, quantized_model, batches, run=run, show=None if progress else False
    )
    page = Page(title)
    _overview(page, comparison, float_model, quantized_model)
    worst_layers(page, comparison)
    _float_layers(page, gains_in_float(float_model, quantized_model, batches, run=run))
    _pictures(page, comparison, progress)
    page.write(path)
    return comparison


def _try_writing(path: Path) -> None:
    """Raise if a file cannot be written, before time is spent on its content."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        # The user named this file, not the temporary one.
        raise type(error)(error.errno, f"{operation_name()}: {error.strerror}", str(path)) from None


def _overview(page: Page, comparison: Comparison, float_model: Any, quantized_model: Any) -> None:
    outputs = sum(len(values) if values.ndim else 1 for values in comparison.reference)
    page.paragraph(
        f"A {type(float_model).__name__} in float32 and its quantized form ran side by side on "
        f"{outputs:,} inputs, cut into batches: {len(comparison.reference):,}."
    )
    before, after = (parameter_bytes(m.state_dict()) for m in (float_model, quantized_model))
    rows = [
        ("SQNR of output (dB)", decibel_text(comparison.sqnr)),
        ("float32 (bytes)", f"{before:,}"),
        ("quantized (bytes)", f"{after:,}"),
    ]
    pairs = list(zip(comparison.reference, comparison.values, strict=True))
    if all(one.ndim == 2 and one.shape[1] > 1 for one, _ in pairs):
        same = sum(agreement(one, other) * len(one) for one, other in pairs) / max(1, outputs)
        rows.insert(1, ("same decision (%)", f"{100 * same:.2f}"))
    note = "bytes: of the parameters; same decision: rows whose largest output is in the same place"
    page.table(Table("At a glance", ("", "measured"), rows, f"{note}."))
    page.heading("Layer by layer")
    page.table(comparison.table())
    with drawing():
        page.pictures([figures.local_and_total(comparison)])


def worst_layers(page: Page, comparison: Comparison, count: int = 5) -> None:
    """Add the section on the layers that add most error, with advice for each.

    Parameters
    ----------
    page : Page
        Where to add it.
    comparison : Comparison
        The comparison to report on.
    count : int, default 5
        How many layers at most.

    Examples
    --------
    >>> from refquant.reporting import Comparison, Page, worst_layers
    >>> page = Page("Nothing")
    >>> worst_layers(page, Comparison((), (), ()))
    >>> "No layer" in page.html()
    True
    """
    arguments.instance("page", page, Page, "a Page")
    arguments.instance("comparison", comparison, Comparison, "a Comparison")
    worst = comparison.worst(count)
    page.heading("The worst layers, and what would help")
    if not worst:
        page.paragraph("No layer adds an error.")
        return
    page.points(
        [
            (
                f"{layer.name or '(model)'} ({layer.kind}): {decibel_text(layer.local_sqnr)} dB "
                "by itself",
                advice(layer),
            )
            for layer in worst
        ]
    )


def _float_layers(page: Page, gains: dict[str, float], count: int = 5) -> None:
    """Add the section on the layers that are worth keeping in float."""
    ranked = [(name, gain) for name, gain in gains.items() if gain >= WORTH][:count]
    if not ranked:
        return
    page.heading("Keep these in float")
    page.paragraph(
        "What the output of the whole model gains if one layer alone stays in float "
        "(qconfig = None): weight and output are not rounded there."
    )
    page.points([(name or "(model)", f"+ {gain:.1f} dB") for name, gain in ranked])


def _pictures(page: Page, comparison: Comparison, progress: bool) -> None:
    sections: tuple[tuple[str, str, Callable], ...] = (
        (
            "Activations and the range that survives",
            "Outputs of the layers of the float model. Shaded values would be clipped.",
            figures.activations,
        ),
        ("Weights before and after", "", figures.weights),
        (
            "Ranges of the channels of the weights",
            "The narrower a channel compared to the dashed lines, the more it gains from a scale "
            "of its own.",
            figures.channels,
        ),
    )
    for heading, text, draw in sections:
        with drawing():
            pictures = list(
                track(draw(comparison), f"drawing {heading}", show=None if progress else False)
            )
            if pictures:
                page.heading(heading)
                if text:
                    page.paragraph(text)
                page.pictures(pictures)
