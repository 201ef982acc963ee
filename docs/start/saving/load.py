"""Load the network at each stage and run it: python load.py FOLDER."""

import sys
from pathlib import Path

from model import STAGES, batch

import refquant

refquant.backends.quantized.engine = "fbgemm"
for name, make in STAGES.items():
    model = make()
    model.load_state_dict(refquant.load(Path(sys.argv[1]) / f"{name}.state"))
    print(name, model.eval()(batch(99)).tolist())
