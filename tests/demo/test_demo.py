"""The demo from end to end: honest data, equal runs, int8 as good as float, a report."""

import dataclasses
import os

import numpy as np
import pytest

import refquant
from refquant import cli
from refquant.demo import checkpoint, experiment, metrics, schemes, summary
from refquant.demo.data import load_digits
from refquant.demo.network import DigitNet
from refquant.demo.training import train
from refquant.reporting import Page, figures
from refquant.reporting.pictures import drawing

EPOCHS = 6


@pytest.fixture(scope="module")
def result():
    with refquant.engines.using("fbgemm"):
        return experiment.run(epochs=EPOCHS, seed=0)


# -- data ---------------------------------------------------------------------------------------


def test_the_parts_are_disjoint_and_complete():
    from sklearn.datasets import load_digits as original

    digits = load_digits(3)
    parts = (digits.train, digits.calibration, digits.test)
    assert [part.labels.numel() for part in parts] == [1200, 150, 447]
    seen = [image.tobytes() for part in parts for image in part.pixels.numpy()]
    given = [(image / 16).astype(np.float32).tobytes() for image in original().images]
    assert sorted(seen) == sorted(given)
    assert len(set(seen)) == len(seen)


def test_pixels_are_float32_between_white_and_black():
    pixels = load_digits().train.pixels
    assert pixels.dtype is refquant.float32
    assert (pixels.numpy().min(), pixels.numpy().max()) == (0.0, 1.0)


def test_the_seed_decides_the_split():
    one, same, other = (load_digits(seed).test.labels.tolist() for seed in (1, 1, 2))
    assert one == same
    assert one != other


# -- training -----------------------------------------------------------------------------------


def parameters(model):
    return [parameter.detach().numpy() for parameter in model.parameters()]


def test_training_again_gives_the_same_network():
    images = load_digits().train
    one, same, other = (parameters(train(images, epochs=1, seed=s)) for s in (5, 5, 6))
    assert all(map(np.array_equal, one, same))
    assert not any(map(np.array_equal, one[:1], other[:1]))


def test_training_does_not_touch_the_images():
    images = load_digits().train
    before = images.pixels.numpy().copy()
    assert not train(images, epochs=1).training
    assert np.array_equal(images.pixels.numpy(), before)


# -- quantizing ---------------------------------------------------------------------------------


def test_models_that_are_quantized_stay_as_they_are(result):
    model = DigitNet()
    model.eval()
    names = [name for name, _ in model.named_modules()]
    schemes.fuse(model)
    schemes.quantize_dynamically(model)
    fused = schemes.fuse(model)
    kinds = [type(module) for module in fused.modules()]
    with refquant.engines.using("fbgemm"):
        schemes.quantize_statically(fused, schemes.PER_TENSOR, [result.digits.calibration.pixels])
    assert [name for name, _ in model.named_modules()] == names
    assert [type(module) for module in fused.modules()] == kinds
    assert not hasattr(fused, "qconfig")


def test_folding_changes_the_float_network_by_rounding_only():
    images = load_digits().train
    model = train(images, epochs=1)
    before = metrics.logits_of(model, images)
    after = metrics.logits_of(schemes.fuse(model), images)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)


def test_weights_are_per_tensor_and_per_channel(result):
    for name in ("conv1", "conv2", "fc1", "fc2"):
        one = getattr(result.per_tensor, name).weight()
        other = getattr(result.per_channel, name).weight()
        assert one.qscheme() is refquant.per_tensor_affine
        assert other.qscheme() is refquant.per_channel_affine
        assert len(other.q_per_channel_scales()) == other.shape[0]
    for name in ("fc1", "fc2"):
        assert getattr(result.dynamic, name).weight().dtype is refquant.qint8
    assert not hasattr(result.dynamic.conv1, "scale")


# -- measuring ----------------------------------------------------------------------------------


def test_int8_reads_as_well_as_float(result):
    reference, *others = result.scores
    assert reference.accuracy > 0.95
    assert reference.agreement == 1
    for score in others:
        assert abs(score.accuracy - reference.accuracy) <= 0.01
        assert score.agreement >= 0.99
        assert score.sqnr > 25


def test_int8_is_smaller(result):
    float32, per_tensor, per_channel, dynamic = (score.bytes for score in result.scores)
    assert per_tensor < per_channel < dynamic < float32
    assert 3 < float32 / per_channel < 4


def test_both_static_models_share_the_scales_of_activations(result):
    outputs = [
        [(layer.name, output.scale, output.zero_point) for layer, output in compared.quantized]
        for compared in (result.compared_per_tensor, result.compared_per_channel)
    ]
    assert outputs[0] == outputs[1]
    names = [name for name, _, _ in outputs[0]]
    assert names == ["quant", "conv1", "pool1", "conv2", "pool2", "fc1", "fc2"]


def test_a_scale_for_each_channel_loses_less_of_the_weights(result):
    pairs = zip(
        result.compared_per_tensor.weighted, result.compared_per_channel.weighted, strict=True
    )
    gains = [other[0].weight_sqnr - one[0].weight_sqnr for one, other in pairs]
    assert len(gains) == 4
    assert min(gains) > 0


def test_the_comparison_and_the_table_measure_the_same(result):
    assert result.compared_per_channel.sqnr == pytest.approx(result.scores[2].sqnr)


# -- saving -------------------------------------------------------------------------------------


def test_saved_weights_give_the_same_bits(result, tmp_path):
    path = tmp_path / "weights.refquant"
    with refquant.engines.using("fbgemm"):
        refquant.save(result.per_channel.state_dict(), path)
        again = checkpoint.restore(path, experiment.calibration_batches(result.digits))
        assert checkpoint.same_outputs(result.per_channel, again, result.digits.test)
        assert not checkpoint.same_outputs(result.per_tensor, again, result.digits.test)


# -- telling ------------------------------------------------------------------------------------


def test_the_tables_hold_what_was_measured(result):
    table = summary.score_table(result)
    assert [row[0] for row in table.rows] == [score.name for score in result.scores]
    assert [float(row[1]) for row in table.rows] == [
        pytest.approx(100 * score.accuracy, abs=0.005) for score in result.scores
    ]
    layers = summary.layer_table(result)
    assert [row[0] for row in layers.rows] == [
        layer.name for layer in result.compared_per_channel.layers
    ]
    assert max(map(len, [*table.text().splitlines(), *layers.text().splitlines()])) <= 105


def test_the_page_shows_tables_and_pictures(result):
    page = summary.page(result).html()
    # Two overviews, seven activations, four weights twice, images.
    pictures = 2 + 7 + 2 * 4 + min(6, len(summary.disagreements(result)))
    assert page.count("<svg ") == page.count("<figure>") == pictures
    for row in summary.score_table(result).rows:
        assert row[0] in page
        assert f"<td>{row[1]}</td>" in page


def test_weights_of_each_channel_are_told_with_their_range_of_steps(result):
    with drawing():
        captions = [text for _, text in figures.weights(result.compared_per_channel)]
    scales = result.per_channel.conv1.weight().scale
    assert f"one step is {scales.min():.5f} to {scales.max():.5f}" in captions[0]


def test_models_disagree_on_images_where_the_answers_differ(result):
    scores = list(result.scores)
    changed = scores[2].logits.copy()
    changed[5] = -changed[5]
    scores[2] = dataclasses.replace(scores[2], logits=changed)
    other = dataclasses.replace(result, scores=tuple(scores))
    assert set(summary.disagreements(other)) == {5, *summary.disagreements(result)}
    assert "Images that are read differently" in summary.page(other).html()


def test_the_page_says_so_where_all_models_agree(result):
    same = dataclasses.replace(result, scores=result.scores[:1] * 4)
    assert summary.disagreements(same) == []
    assert "all four models read every test image alike" in summary.page(same).html()


# -- the command --------------------------------------------------------------------------------


def test_the_command_writes_a_report_and_weights(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert cli.main(["demo", "--output", str(folder), "--epochs", "1"]) == 0
    shown = capsys.readouterr()
    assert "Four models on 447 test images" in shown.out
    assert "loaded again, all outputs are equal to the last bit" in shown.out
    assert shown.err == ""
    assert sorted(os.listdir(folder)) == ["per-channel-int8.refquant", "report.html"]
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "fc2.scale" in refquant.load(folder / "per-channel-int8.refquant")


@pytest.fixture
def quick(monkeypatch, result):
    """Let the command report the result of the fixture, without pictures."""
    monkeypatch.setattr(experiment, "run", lambda **options: result)
    monkeypatch.setattr(summary, "page", lambda result: Page("quick"))


def test_quiet_prints_the_tables_only(quick, tmp_path, capsys):
    with refquant.engines.using("qnnpack"):
        assert cli.main(["demo", "--output", str(tmp_path), "--quiet"]) == 0
        assert refquant.backends.quantized.engine == "qnnpack"
    shown = capsys.readouterr().out
    assert "Four models" in shown
    assert "report" not in shown


def test_an_output_that_is_a_file_stops_the_demo_at_once(tmp_path, capsys):
    path = tmp_path / "taken"
    path.write_text("mine")
    assert cli.main(["demo", "--output", str(path)]) == 1
    assert "taken" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_weights_that_do_not_come_back_are_an_error(quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoint, "same_outputs", lambda *models: False)
    assert cli.main(["demo", "--output", str(tmp_path), "--quiet"]) == 1
    assert "does not give the same outputs" in capsys.readouterr().err
