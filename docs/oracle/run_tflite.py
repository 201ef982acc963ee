"""Run the models in a folder of vectors by LiteRT, and write its answers."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

answers = Path("answers")
answers.mkdir(exist_ok=True)
for model in Path("vectors").glob("*.tflite"):
    interpreter = Interpreter(model_path=str(model))
    interpreter.allocate_tensors()
    with np.load(model.with_suffix(".npz")) as arrays:
        for given in interpreter.get_input_details():
            interpreter.set_tensor(given["index"], arrays[given["name"]])
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.savez(answers / f"{model.stem}.npz", output=output)
