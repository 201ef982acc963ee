"""The results of the experiment as tables, and as a page with pictures."""

import numpy as np

from refquant.demo.experiment import Experiment
from refquant.reporting import Page, Table, figures, worst_layers
from refquant.reporting.measures import decibel_text
from refquant.reporting.pictures import drawing, new_axes

__all__ = ["disagreements", "layer_table", "page", "score_table"]

_MOST_DISAGREEMENTS = 6  # images on the page


def percent(share: float) -> str:
    """Format a share of 1 in percent."""
    return f"{100 * share:.2f}"


def score_table(experiment: Experiment) -> Table:
    """Return the table of the four models."""
    images = experiment.digits.test.labels.numel()
    rows = [
        (
            score.name,
            percent(score.accuracy),
            percent(score.agreement),
            decibel_text(score.sqnr),
            f"{score.bytes:,}",
            f"{1e3 * score.seconds:.2f}",
        )
        for score in experiment.scores
    ]
    return Table(
        f"Four models on {images} test images",
        ("model", "accuracy %", "as float %", "SQNR dB", "bytes", "time ms"),
        rows,
        "as float: images read like the float model does; SQNR: of the logits; bytes: of the "
        f"parameters;\ntime: one forward pass over the {images} images, median.",
    )


def layer_table(experiment: Experiment) -> Table:
    """Return the table of the layers of the two static models."""
    rows = []
    pairs = zip(
        experiment.compared_per_tensor.layers,
        experiment.compared_per_channel.quantized,
        strict=True,
    )
    for one, (other, output) in pairs:
        rows.append(
            (
                other.name,
                other.kind,
                f"{output.scale:.6f}",
                str(output.zero_point),
                decibel_text(one.weight_sqnr),
                decibel_text(other.weight_sqnr),
                decibel_text(one.sqnr),
                decibel_text(other.sqnr),
            )
        )
    return Table(
        "Layers of the static models: scale and zero point of the output, SQNR in dB",
        (
            "layer",
            "module",
            "scale",
            "zero point",
            "weight/tensor",
            "weight/channel",
            "output/tensor",
            "output/channel",
        ),
        rows,
        "SQNR of the weight alone, and of the output with all errors before it; /tensor: weights "
        "have one\nscale for each layer, /channel: one for each output channel. Scales of outputs "
        "are the same in both.",
    )


def disagreements(experiment: Experiment) -> list[int]:
    """Return the test images that some quantized model classifies unlike the float model."""
    read = np.stack([np.argmax(score.logits, axis=1) for score in experiment.scores])
    return np.flatnonzero((read != read[0]).any(axis=0)).tolist()


def _disagreement_pictures(experiment: Experiment):
    test = experiment.digits.test
    for index in disagreements(experiment)[:_MOST_DISAGREEMENTS]:
        ax = new_axes(4.4, 2.0)
        ax.imshow(test.pixels.numpy()[index, 0], cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()
        read = [
            f"{score.name}: {int(np.argmax(score.logits[index]))}" for score in experiment.scores
        ]
        yield ax, f"A {int(test.labels[index])}. {'; '.join(read)}."


def page(experiment: Experiment) -> Page:
    """Return the report."""
    digits = experiment.digits
    per_tensor, per_channel = experiment.compared_per_tensor, experiment.compared_per_channel
    report = Page("Handwritten digits in int8")
    report.paragraph(
        "A convolutional network was trained in float32 on "
        f"{digits.train.labels.numel()} images of handwritten digits and quantized three ways. "
        f"{digits.calibration.labels.numel()} other images showed the observers which values "
        "occur. The numbers below come from the "
        f"{digits.test.labels.numel()} images that remained."
    )
    report.table(score_table(experiment))
    report.heading("What each layer loses")
    report.paragraph(
        "Both static models ran beside the float model on the test images. Errors add up from "
        "layer to layer; a scale for each channel makes the weights' share smaller."
    )
    report.table(layer_table(experiment))
    both = {"per tensor": per_tensor, "per channel": per_channel}
    with drawing():
        report.pictures([figures.losses(both), figures.input_error(per_channel)])
    worst_layers(report, per_channel)
    report.heading("Activations and the range that survives")
    report.paragraph(
        "Outputs of the float model. Shaded values would be clipped. The observers leave the "
        "upper half of the integers free (reduce_range), so that sums of two products fit into "
        "16 bits on processors that add them there."
    )
    with drawing():
        report.pictures(list(figures.activations(per_channel)))
    report.heading("Weights before and after, one scale for each layer")
    with drawing():
        report.pictures(list(figures.weights(per_tensor)))
    report.heading("Why a scale for each channel helps")
    with drawing():
        report.pictures(list(figures.channels(per_tensor)))
    report.heading("Images that are read differently")
    count = len(disagreements(experiment))
    if not count:
        report.paragraph("None: all four models read every test image alike.")
        return report
    report.paragraph(
        f"At least one quantized model reads {count} of the test images differently than the float "
        "model. What people say it is comes first."
    )
    with drawing():
        report.pictures(list(_disagreement_pictures(experiment)))
    return report
