"""Weights of few bits: the accuracy when they are quantized after training, and in training."""

import numpy as np
import pytest

import refquant
from refquant import cli
from refquant.demo import bits
from refquant.demo.data import load_digits
from refquant.demo.experiment import calibration_batches
from refquant.demo.schemes import fuse
from refquant.demo.training import train

TENSOR, CHANNEL = bits.GRANULARITIES


@pytest.fixture(scope="module")
def outcome():
    """Average four trainings: one alone can lose little by chance."""
    with refquant.engines.using("fbgemm-1.4"):
        runs = [bits.run(epochs=6, qat_epochs=2, seed=seed, show=False) for seed in range(4)]

    def averaged(ways):
        return {way: sum(found[way] for found in ways) / len(ways) for way in ways[0]}

    return bits.Outcome(
        runs[0].images,
        sum(run.float32 for run in runs) / len(runs),
        averaged([run.after_training for run in runs]),
        averaged([run.in_training for run in runs]),
    )


def test_eight_bits_cost_next_to_nothing(outcome):
    assert outcome.float32 > 0.95
    for way in (outcome.after_training, outcome.in_training):
        for granularity in bits.GRANULARITIES:
            assert way[8, granularity] == pytest.approx(outcome.float32, abs=0.01)


def test_training_with_rounding_recovers_what_few_bits_lose(outcome):
    after, within = outcome.after_training, outcome.in_training
    # 0.005 is 8 images of the 1,788 of all four; exp and log of another processor move some.
    assert after[4, TENSOR] < outcome.float32 - 0.005
    assert within[4, TENSOR] > after[4, TENSOR] + 0.005
    assert within[4, TENSOR] > outcome.float32 - 0.005
    for granularity in bits.GRANULARITIES:
        assert after[2, granularity] < outcome.float32 - 0.1
        assert within[2, granularity] > after[2, granularity] + 0.1


def test_a_scale_for_each_channel_helps_where_bits_are_few(outcome):
    after, within = outcome.after_training, outcome.in_training
    assert after[2, CHANNEL] > after[2, TENSOR] + 0.2
    assert within[2, CHANNEL] > within[2, TENSOR] + 0.05


def test_a_scale_for_each_channel_makes_weights_of_four_bits_finer():
    digits = load_digits()
    model = train(digits.train, epochs=6)
    with refquant.engines.using("fbgemm"):
        by_granularity = {
            granularity: bits.after_training(model, 4, granularity, calibration_batches(digits))
            for granularity in bits.GRANULARITIES
        }
    floats = fuse(model)
    for name in ("conv1", "conv2", "fc1"):
        weight = getattr(floats, name)[0].weight.detach().numpy()
        errors = {
            granularity: np.square(getattr(network, name).weight().dequantize().numpy() - weight)
            for granularity, network in by_granularity.items()
        }
        assert errors[CHANNEL].mean() < 0.8 * errors[TENSOR].mean()


def test_weights_use_the_integers_of_their_bits():
    digits = load_digits()
    model = train(digits.train, epochs=1)
    with refquant.engines.using("fbgemm"):
        made = [
            bits.after_training(model, 4, CHANNEL, calibration_batches(digits)),
            bits.in_training(model, 4, CHANNEL, digits, epochs=1),
        ]
    for network in made:
        for name in ("conv1", "conv2", "fc1", "fc2"):
            weight = getattr(network, name).weight()
            integers = weight.int_repr().numpy()
            assert weight.qscheme() is refquant.per_channel_affine
            assert integers.min() >= -8
            assert 6 <= integers.max() <= 7
    assert not model.training


def test_the_command_prints_the_table(outcome, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bits, "run", lambda **options: outcome)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo", "--bits", "--quiet"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == bits.table(outcome).text().splitlines()
    assert shown[0] == "Accuracy in % on 447 test images"
    assert len([line for line in shown if line.startswith(("8 ", "4 ", "2 "))]) == 6
    assert list(tmp_path.iterdir()) == []
