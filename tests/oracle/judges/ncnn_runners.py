"""Run models by ncnn, image by image; see `tflite_runners`.

``QUESTIONS.npz`` has for each model ``N.text`` and ``N.weights`` (bytes) and ``N.x``, its images.
"""

import sys
import tempfile
from pathlib import Path

import ncnn
import numpy as np


def answer(text, weights, images):
    """Run a model on images one after the other."""
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    for wide in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{wide}", False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights"
        file.write_bytes(weights)
        if net.load_param_mem(text.decode()) or net.load_model(str(file)):
            raise RuntimeError(f"not loaded: {text.decode()}")
    found = []
    for image in images:
        extractor = net.create_extractor()
        extractor.input("x", ncnn.Mat(np.ascontiguousarray(image)).clone())
        failed, result = extractor.extract("y")
        if failed:
            raise RuntimeError(f"not computed: {text.decode()}")
        found.append(np.array(result))
    return np.array(found)


def main(questions, answers):
    """Answer the questions of a file."""
    found = {}
    with np.load(questions) as given:
        for number in sorted({name.split(".")[0] for name in given.files}):
            text, weights = (given[f"{number}.{part}"].tobytes() for part in ("text", "weights"))
            try:
                found[number] = answer(text, weights, given[f"{number}.x"])
            except RuntimeError as error:
                found[f"{number}.rejected"] = np.frombuffer(str(error).encode(), np.uint8)
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[2:])
