"""Programs of recorded answers: batch normalization folded into the convolution before it."""

from golden.programs import joined, program, tensor
from golden.programs_observation import normal

ENGINES = ("fbgemm",)  # folding does not ask the engine


@program(engines=ENGINES)
def convolution_and_batch_norm(T, rng):
    weights, biases = [], []
    for case in range(40):
        groups, channels = (1, 2)[case % 2], 2 * int(rng.randint(1, 9))
        convolution = T.nn.Conv2d(4, channels, 3, groups=groups, bias=bool(rng.randint(2)))
        normalization = T.nn.BatchNorm2d(channels, eps=(1e-5, 1e-3, 0.5)[case % 3])
        for module in (convolution, normalization):
            state = module.state_dict()
            for key in sorted(state):
                if key != "num_batches_tracked":
                    drawn = normal(rng, tuple(state[key].shape), 0.7)
                    state[key] = tensor(T, abs(drawn) if key == "running_var" else drawn)
            module.load_state_dict(state)
        model = T.nn.Sequential(convolution, normalization).eval()
        folded = T.quantization.fuse_modules(model, [["0", "1"]])[0]
        weights.append(folded.weight)
        biases.append(folded.bias)
    return {
        "weight": joined(w.detach() for w in weights),
        "bias": joined(b.detach() for b in biases),
    }
