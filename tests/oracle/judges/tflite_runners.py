"""Run ``.tflite`` files by LiteRT, TensorFlow Lite Micro or an older tflite-runtime.

It needs the runtime and NumPy alone, so that an older Python can run it::

    python tflite_runners.py RUNTIME QUESTIONS.npz ANSWERS.npz

``QUESTIONS.npz`` has arrays ``N.model`` (bytes) and ``N.0``, ``N.1``, ... for each model; the
answers are ``N``, or ``N.rejected`` with a message.
"""

import sys

import numpy as np

ARENA = 1 << 20


def _interpreter(runtime, content):
    if runtime.startswith("tflite-2.14"):
        from tflite_runtime.interpreter import Interpreter, OpResolverType
    else:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    if runtime.endswith("-reference"):
        resolver = OpResolverType.BUILTIN_REF
    elif runtime == "xnnpack":
        resolver = OpResolverType.AUTO
    else:
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    made = Interpreter(model_content=content, experimental_op_resolver_type=resolver, num_threads=1)
    made.allocate_tensors()
    return made


def answer(runtime, content, feeds):
    """Run a model by a runtime."""
    if runtime == "tflite-micro":
        from tflite_micro.python.tflite_micro import runtime as micro

        interpreter = micro.Interpreter.from_bytes(content, arena_size=ARENA)
        for number, feed in enumerate(feeds):
            interpreter.set_input(feed, number)
        interpreter.invoke()
        return interpreter.get_output(0).copy()
    interpreter = _interpreter(runtime, content)
    if runtime == "xnnpack":
        names = {op["op_name"] for op in interpreter._get_ops_details()}
        if "DELEGATE" not in names:
            raise RuntimeError("not delegated to XNNPACK")
    for detail, feed in zip(interpreter.get_input_details(), feeds, strict=True):
        interpreter.set_tensor(detail["index"], feed)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy()


def main(runtime, questions, answers, answer=answer):
    """Answer the questions of a file by a runtime."""
    found = {}
    with np.load(questions) as given:
        count = sum(name.endswith(".model") for name in given.files)
        for number in range(count):
            feeds = []
            while f"{number}.{len(feeds)}" in given.files:
                feeds.append(given[f"{number}.{len(feeds)}"])
            try:
                found[str(number)] = answer(runtime, given[f"{number}.model"].tobytes(), feeds)
            except (RuntimeError, ValueError) as error:
                found[f"{number}.rejected"] = np.frombuffer(str(error).encode(), np.uint8)
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
