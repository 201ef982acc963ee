"""The command ``refquant judge``."""

from typing import Any

from refquant.oracle.judging.layers import judge

__all__ = ["run"]


def run(options: Any) -> int:
    """Judge a model; 0 if all layers are as the engine says."""
    engine = None if options.engine is None else options.engine.split(",")
    judged = judge(
        options.model, options.backend, options.inputs, engine, time_limit=options.time_limit
    )
    print(judged)
    if options.report is not None:
        print(f"report      {judged.write(options.report)}")
    if judged.reproducer and options.reproducer is not None:
        for path in judged.write_reproducer(options.reproducer):
            print(f"reproducer  {path}")
    return 0 if judged.first is None else 1
