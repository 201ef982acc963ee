"""The command ``refquant demo``."""

import argparse
import sys
import time
from pathlib import Path

import refquant
from refquant.demo import bits, checkpoint, experiment, summary
from refquant.extras import require_extra

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Run the experiment, print the tables, write the report and the quantized weights.

    Parameters
    ----------
    options : argparse.Namespace
        ``output``, ``seed``, ``epochs``, ``quiet``, ``bits``.

    Returns
    -------
    int
        0, or 1 if the saved weights do not give the same outputs again.
    """
    if options.bits:
        return _run_bits(options)
    started = time.perf_counter()
    # Missing packages and folders that cannot be written stop the demo before it trains.
    for module, package in (("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")):
        require_extra(module, package=package, extra="demo", op="refquant demo")
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)

    with refquant.engines.using("fbgemm"):
        result = experiment.run(
            epochs=options.epochs, seed=options.seed, show=False if options.quiet else None
        )
        print(summary.score_table(result).text(), end="\n\n")
        print(summary.layer_table(result).text(), end="\n\n")
        report = summary.page(result).write(folder / "report.html")
        weights = folder / "per-channel-int8.refquant"
        refquant.save(result.per_channel.state_dict(), weights)
        again = checkpoint.restore(weights, experiment.calibration_batches(result.digits))
        same = checkpoint.same_outputs(result.per_channel, again, result.digits.test)
    size = f"{weights} ({weights.stat().st_size:,} bytes)"
    if not same:
        message = f"{size} does not give the same outputs when it is loaded again"
        print(f"refquant demo: error: {message}", file=sys.stderr)
        return 1
    if not options.quiet:
        print(f"quantized weights  {size}; loaded again, all outputs are equal to the last bit")
        print(f"report             {report}")
        print(f"time               {time.perf_counter() - started:.1f} s")
    return 0


def _run_bits(options: argparse.Namespace) -> int:
    """Print the accuracy for weights of few bits."""
    require_extra("sklearn", package="scikit-learn", extra="demo", op="refquant demo --bits")

    with refquant.engines.using("fbgemm"):
        outcome = bits.run(
            epochs=options.epochs, seed=options.seed, show=False if options.quiet else None
        )
    print(bits.table(outcome).text())
    return 0
