"""Call public functions by their signatures with random values: documented errors only.

    python tests/fuzz/calls.py --count 100000 --seed 1
    python tests/fuzz/calls.py --seconds 30

A call is that of an example in the documentation, with none to three of its arguments replaced: by
a hostile value, or by one that another example gives to an argument of the same name.
"""

import argparse
import contextlib
import inspect
import os
import random
import sys
import tempfile
import time
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from errors import calls, hostile
from errors.test_hostile_calls import fault, remember, replaced

# Time and output of these grow with their arguments, or they end the process.
LEFT_OUT = ("demo", "plotting", "cli", "write_vectors", "html_report")


def recorded():
    """Public callables with the arguments of a valid call."""
    targets = calls.targets()
    calls.record(targets)
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


def run(count, seed, seconds):
    """Call; returns how many calls were made, by name, and the faults."""
    draw, begun, made, faults = random.Random(seed), time.monotonic(), Counter(), []
    targets = recorded()
    pool = {name: [] for target in targets for name in target.arguments}
    for target in targets:
        for name, value in target.arguments.items():
            if not inspect.isfunction(value):  # which would raise errors of its own
                pool[name].append({name: value})
    restore = remember()
    while sum(made.values()) < count and time.monotonic() - begun < seconds:
        target = draw.choice(targets)
        arguments, title = drawn(target, pool, draw)
        found = fault(target, arguments)
        restore()
        made[target.name] += 1
        if found:
            faults.append(f"{target.name}({title}): {found}")
            print(faults[-1], flush=True)
    return made, faults


def main():
    """Run from the command line; the exit code is nonzero if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10**9, help="how many calls")
    parser.add_argument("--seconds", type=float, default=1e9, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="which calls")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        made, faults = run(options.count, options.seed, options.seconds)
    print(f"{sum(made.values())} calls of {len(made)} functions, {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
