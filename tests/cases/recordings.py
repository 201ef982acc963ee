"""Recorded answers: the results of all cases of an operation as a few arrays, and their files."""

import json

import numpy as np
from cases.answers import answer
from cases.operands import STORAGE


def recording(operation, T, engine, release, backend=None):
    """Run all cases that are recorded; returns arrays by name."""
    cases = [
        answer(operation, T, case, engine, release, 0, backend)
        for case in range(operation.recorded)
    ]
    results = [result for case in cases for result in case]
    arrays = {"said": np.array(json.dumps([[fact for fact, _ in case] for case in cases]))}
    for dtype in sorted({array.dtype.name for _, array in results}):
        pieces = [array.reshape(-1) for _, array in results if array.dtype.name == dtype]
        arrays[dtype] = np.concatenate(pieces)
    return arrays


def unpacked(arrays):
    """List the recorded cases: for each its results as (what is said of it, its elements)."""
    places, cases = dict.fromkeys(arrays, 0), []
    for facts in json.loads(str(arrays["said"])):
        cases.append([])
        for fact in facts:
            name = np.dtype(STORAGE.get(fact[0], fact[0])).name  # a Python number has one too
            start, size = places[name], int(np.prod(fact[1]))
            places[name] += size
            cases[-1].append((fact, arrays[name][start : start + size].reshape(fact[1])))
    return cases


# The engines of refquant that are to give the answers of a release.
SUFFIX = {"1.4": "-1.4", "2.13": ""}


def read(path):
    """Read a file of recorded answers: (provenance, {(engine, operation): {key: array}})."""
    answers = {}
    with np.load(path, allow_pickle=False) as file:
        provenance = json.loads(str(file["provenance"]))
        for place in file.files:
            if place != "provenance":
                engines, name, key = place.split("/", 2)
                for engine in engines.split("+"):
                    answers.setdefault((engine, name), {})[key] = file[place]
    return provenance, answers


def write(path, provenance, answers):
    """Write a file of recorded answers; engines that answered alike share an array."""
    shared = {}
    for (engine, name), found in answers.items():
        for key, value in found.items():
            shared.setdefault((name, key, value.tobytes()), []).append(engine)
    arrays = {"provenance": np.array(json.dumps(provenance, sort_keys=True))}
    for (name, key, _), engines in shared.items():
        arrays[f"{'+'.join(engines)}/{name}/{key}"] = answers[engines[0], name][key]
    np.savez_compressed(path, **arrays)
