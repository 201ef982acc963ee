"""Call public functions by their signatures with random values: documented errors only.

    python tests/fuzz/calls.py --count 100000 --seed 1
    python tests/fuzz/calls.py --seconds 30

A call is that of an example in the documentation, with none to three of its arguments replaced: by
a hostile value, or by one that another example gives to an argument of the same name. A call that
computes for longer than a minute is a fault too. Every other call has another engine than the
example; functions that succeeded rarely are called more often.
"""

import argparse
import contextlib
import inspect
import os
import random
import signal
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from errors import calls, hostile, recording
from errors.outcomes import limited, outcome, remember, replaced
from fuzz.successes import Successes

from refquant import engines

# Time and output of these grow with their arguments, or they end the process.
LONGEST = 60  # seconds of processor time of a call
LONG = 100000  # calls after which functions that succeeded rarely are listed
LEFT_OUT = ("demo", "plotting", "cli", "write_vectors", "html_report")


def recorded():
    """Public callables with the arguments of a valid call."""
    targets = calls.targets()
    recording.record(targets, os.getcwd())
    return [
        target
        for target in targets
        if target.arguments and not any(word in target.name for word in LEFT_OUT)
    ]


def drawn(target, pool, draw):
    """Return the arguments of a random call, and what was replaced."""
    arguments, titles = calls.copied(target.arguments), []
    names = [
        name
        for name in arguments
        if not target.is_own(name) and target.signature.parameters[name].kind.name != "VAR_KEYWORD"
    ]
    for name in draw.sample(names, min(len(names), draw.choice((0, 1, 1, 1, 2, 3)))):
        if draw.random() < 0.5 and pool[name]:
            title, value = "that of another example", calls.copied(draw.choice(pool[name]))[name]
        else:
            title = draw.choice(list(hostile.VALUES))
            value = hostile.VALUES[title]()
        arguments[name] = replaced(target, name, value)[name]
        titles.append(f"{name} = {title}")
    return arguments, ", ".join(titles)


class Hang(BaseException):
    """A call took too long."""


def bounded(target, arguments, engine=None):
    """Call a target; return whether it succeeded, and its fault, if any."""

    def end(number, frame):
        raise Hang(f"more than {LONGEST} s ({frame.f_code.co_filename}:{frame.f_lineno})")

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    try:
        return outcome(target, arguments, engine)
    except Hang as hang:
        return False, f"Hang: {hang}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def run(count, seed, seconds):
    """Call; returns the `Successes` of each function, and the faults."""
    draw, targets, faults = random.Random(seed), recorded(), []
    begun = time.monotonic()
    # Several faces can have one name.
    by_name = {f"{target.name} ({number})": target for number, target in enumerate(targets)}
    made, others = Successes(["any engine"], by_name), engines.names()
    pool = {name: [] for target in targets for name in target.arguments}
    for target in targets:
        for name, value in target.arguments.items():
            if not inspect.isfunction(value):  # which would raise errors of its own
                pool[name].append({name: value})
    restore = remember()
    everything = np.ones(len(targets), bool)
    while made.tried.sum() < count and time.monotonic() - begun < seconds:
        name = made.draw(draw, "any engine", everything)
        target = by_name[name]
        arguments, title = drawn(target, pool, draw)
        engine = draw.choice((target.engine, draw.choice(others)))
        succeeded, found = bounded(target, arguments, engine)
        restore()
        made.add("any engine", name, succeeded)
        if found:
            under = getattr(engine, "name", engine)
            faults.append(f"{target.name}({title}) under {under!r}: {found}")
            print(faults[-1], flush=True)
    return made, faults


def main():
    """Run from the command line; the exit code is nonzero if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10**9, help="how many calls")
    parser.add_argument("--seconds", type=float, default=1e9, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="which calls")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), limited():
        made, faults = run(options.count, options.seed, options.seconds)
    calls_made, functions = made.tried.sum(), np.count_nonzero(made.tried)
    if calls_made >= LONG:
        for name, _, times in made.rare():
            print(f"succeeded {times} times alone: {name}")
    print(
        f"{calls_made} calls of {functions} functions, {made.succeeded.sum()} succeeded, "
        f"functions: {made.summary()}, {len(faults)} faults"
    )
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
