"""Save the network at each stage: python save.py FOLDER."""

import sys
from pathlib import Path

from model import STAGES, batch

import refquant
from refquant import optim, quantization

refquant.backends.quantized.engine = "fbgemm"
calibrated = quantization.calibrate(STAGES["calibrated"](), map(batch, range(10)))
trained = STAGES["trained"]()
optimizer = optim.SGD(trained.parameters(), lr=0.1)
for seed in range(5):
    optimizer.zero_grad()
    (trained(batch(seed)) ** 2).mean().backward()
    optimizer.step()

models = {
    "float": STAGES["float"](),
    "calibrated": calibrated,
    "trained": trained,
    "converted": quantization.convert(calibrated),
}
for name, model in models.items():
    refquant.save(model.state_dict(), Path(sys.argv[1]) / f"{name}.state")
    print(name, model.eval()(batch(99)).tolist())
