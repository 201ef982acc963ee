"""HTML of objects in a notebook: its text, and that it nests, is escaped and stays small."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import refquant
from refquant import engines, html, nn, oracle, quantization
from refquant.reporting import Table

EVIL = """<script>alert("x")</script>"""


class Reader(HTMLParser):
    """Collect elements and text, and check that elements nest."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert "script" not in reader.elements
    # Nothing is fetched, and colors of text and page are those of the notebook.
    assert not re.search(r"https?:|url\(|background|color:|black|white", html)
    assert len(html) < 40_000
    return reader


def quantized(*shape, dtype=refquant.quint8):
    array = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return refquant.quantize_per_tensor(refquant.from_numpy(array), 0.01, 100 % 128, dtype)


def test_a_quantized_tensor_tells_its_quantizer_and_integers():
    q = refquant.quantize_per_tensor(refquant.tensor([[0.5, -1.0]]), 0.1, 10, refquant.quint8)
    page = read(q._repr_html_())
    for text in ("quint8 tensor of shape (1, 2)", "per_tensor_affine", "0.1", "10", "15", "0"):
        assert text in page.text
    assert "svg" in page.elements


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (3, 4), (100, 100), (2, 3, 64, 64)])
@pytest.mark.parametrize("dtype", [refquant.quint8, refquant.qint8, refquant.qint32])
def test_tensors_of_any_shape(shape, dtype):
    page = read(quantized(*shape, dtype=dtype)._repr_html_())
    assert page.elements.count("td") <= 81 + 8


def test_a_large_tensor_stays_small():
    q = refquant.quantize_per_tensor(refquant.zeros(3000, 1000), 0.1, 0, refquant.qint8)
    assert len(q._repr_html_()) < 10_000


def test_scales_of_channels_are_told_as_a_range():
    w = refquant.quantize_per_channel(
        refquant.ones(2, 3), refquant.tensor([0.1, 0.2]), refquant.tensor([0, 0]), 0, refquant.qint8
    )
    page = read(w._repr_html_())
    assert "0.1 .. 0.2 (2 channels)" in page.text
    assert "axis" in page.text


def test_a_module_is_a_table_of_its_parts():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    page = read(model._repr_html_())
    assert page.elements.count("tr") == 4
    assert {"(model)", "0", "1", "Linear", "8"} <= set(page.text)


def test_settings_of_a_module_are_escaped():
    class Odd(nn.Module):
        def extra_repr(self):
            return EVIL

    assert EVIL in "".join(read(Odd()._repr_html_()).text)


def test_a_model_of_many_parts_is_cut():
    page = read(nn.Sequential(*[nn.ReLU() for _ in range(100)])._repr_html_())
    assert page.elements.count("tr") == 62
    assert "and 41 more" in page.text


def test_an_observer_explains_itself():
    observer = quantization.MinMaxObserver()
    assert "nothing was observed yet" in read(observer._repr_html_()).text
    observer(refquant.tensor([-1.0, 2.0]))
    assert "-1 .. 2" in read(observer._repr_html_()).text


def test_a_histogram_observer_draws_what_it_saw():
    observer = quantization.HistogramObserver()
    read(observer._repr_html_())
    observer(refquant.tensor(np.r_[np.linspace(-1, 1, 1000), 30.0].astype(np.float32)))
    html = observer._repr_html_()
    page = read(html)
    assert page.elements.count("svg") == 1
    # Bars, the axis and the end of the range that is not that of the values.
    assert page.elements.count("path") >= 3
    assert {"-1", "30"} <= set(page.text)


@pytest.mark.parametrize("count", [10, 64, 65, 100, 2048])
def test_equal_counts_are_bars_of_equal_height(count):
    heights = set(re.findall(r"v-([\d.]+)h", html.bars(np.ones(count), ("", ""), "")))
    assert len(heights) == 1


@pytest.mark.parametrize("count", [2, 100, 150, 256])
def test_integers_that_are_equally_frequent_have_bars_of_equal_height(count):
    drawn = html.histogram(np.arange(count, dtype=np.int32) - 7, -7, count - 8, "")
    assert len(set(re.findall(r"v-([\d.]+)h", drawn))) == 1


def test_fake_quantization_looks_like_its_observer():
    rounding = quantization.default_fake_quant()
    rounding(refquant.tensor([-1.0, 2.0]))
    assert read(rounding._repr_html_()).elements == (
        read(rounding.activation_post_process._repr_html_()).elements
    )


def test_an_engine_is_a_table_of_its_rules():
    record = engines.get("qnnpack")
    page = read(record._repr_html_())
    assert page.elements.count("tr") == 1 + len(record.steps)
    assert set(record.steps) <= set(page.text)


def test_saturation_tells_the_channels_concerned_first():
    weight = refquant.tensor([[0.1, -0.1], [1.27, 1.27]])
    q = refquant.quantize_per_tensor(weight, 0.01, 0, refquant.qint8)
    page = read(oracle.saturation(q)._repr_html_())
    assert page.text.index("yes") < page.text.index("no")
    assert "1 of 2 output channels" in " ".join(page.text)


def test_a_table_is_escaped():
    assert EVIL in "".join(read(Table(EVIL, (EVIL,), [(EVIL,)], EVIL)._repr_html_()).text)
    assert EVIL in "".join(read(html.table((EVIL,), [(EVIL,)], EVIL)).text)


@pytest.mark.parametrize("counts", [[], [0, 0], [1], [1, 4, 9], np.arange(2048)])
def test_bars(counts):
    drawn = html.bars(np.float32(counts), (EVIL, "1"), EVIL, [0.0, 0.5, 2.0])
    read(drawn)
    assert drawn.count("stroke-width") == 2
    heights = [float(h) for h in re.findall(r"v-([\d.]+)", drawn)]
    assert len(heights) <= 64
    assert not heights or max(heights) == 56
