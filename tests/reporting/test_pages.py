"""Measures, tables and pages of a report."""

import math
import os
import re
import stat
from html.parser import HTMLParser

import numpy as np
import pytest

import refquant
from refquant import plotting
from refquant.errors import ArgumentError, ShapeError
from refquant.reporting import Page, Table, agreement, parameter_bytes, seconds, sqnr
from refquant.reporting.measures import decibel_text
from refquant.reporting.page import write_atomically
from refquant.reporting.pictures import drawing, new_axes, svg

# -- measures -----------------------------------------------------------------------------------


def test_sqnr_is_the_ratio_of_energies_in_decibels():
    assert sqnr(np.float32([1, 1]), np.float32([1.1, 0.9])) == pytest.approx(20, abs=1e-5)


def test_sqnr_of_a_quantized_tensor_uses_its_real_values():
    x = refquant.tensor([0.26, 1.0])
    q = refquant.quantize_per_tensor(x, 0.1, 0, refquant.quint8)
    assert sqnr(x, q) == sqnr(x, q.dequantize())


def test_sqnr_without_noise_or_signal():
    one, none = np.ones(2, np.float32), np.zeros(2, np.float32)
    assert sqnr(one, one) == math.inf
    assert sqnr(none, one) == -math.inf
    assert math.isnan(sqnr(none, none))


@pytest.mark.parametrize(
    ("value", "text"),
    [(36.12, "36.1"), (-3.0, "-3.0"), (math.inf, "-"), (math.nan, "-"), (None, "-")],
)
def test_a_ratio_in_words(value, text):
    assert decibel_text(value) == text


def test_sqnr_does_not_broadcast():
    with pytest.raises(ShapeError, match="values"):
        sqnr(np.ones((2, 1), np.float32), np.ones((2, 2), np.float32))


def test_agreement_counts_equal_places_of_the_maximum():
    assert agreement(np.eye(4), np.eye(4)[[0, 1, 3, 3]]) == 0.75


def test_bytes_of_every_kind_of_value():
    w = refquant.tensor(np.ones((3, 4), np.float32))
    per_tensor = refquant.quantize_per_tensor(w, 0.1, 0, refquant.qint8)
    per_channel = refquant.quantize_per_channel(
        w, refquant.tensor([0.1, 0.2, 0.3]), refquant.tensor([0, 0, 0]), 0, refquant.qint8
    )
    assert parameter_bytes({"w": w}) == 48
    assert parameter_bytes({"w": per_tensor}) == 12 + 16
    assert parameter_bytes({"w": per_channel}) == 12 + 3 * 16
    assert parameter_bytes({"w": (per_tensor, None), "dtype": "qint8", "scale": 0.5}) == 12 + 24


def test_seconds_calls_once_more_than_it_counts():
    calls = []
    assert seconds(lambda: calls.append(1), repeats=3) >= 0
    assert len(calls) == 4
    with pytest.raises(ArgumentError, match="repeats"):
        seconds(lambda: None, repeats=0)


# -- tables -------------------------------------------------------------------------------------


def test_a_table_is_aligned_and_has_no_trailing_spaces():
    text = Table("Title", ("a", "long"), [("x", "1"), ("wide", "22")], "note").text()
    assert text == "Title\na     long\n----  ----\nx        1\nwide    22\nnote"


def test_a_row_of_another_length_is_rejected():
    with pytest.raises(ShapeError, match="rows"):
        Table("Title", ("a", "b"), [("1",)])


# -- pages --------------------------------------------------------------------------------------

EVIL = """<script>alert("x")</script>&'"""


class Reader(HTMLParser):
    """Collect elements, attributes and text, and check that elements nest."""

    VOID = {"meta"}

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page.html())
    assert reader.open == []
    return reader


def full_page():
    page = Page(EVIL)
    page.heading(EVIL)
    page.paragraph(EVIL)
    page.table(Table(EVIL, (EVIL, "b"), [(EVIL, EVIL)], EVIL))
    with drawing():
        ax = plotting.sqnr_bars(
            [EVIL, "fc"], {EVIL: [30.0, 20.0], "two": [1.0, 2.0]}, ax=new_axes()
        )
        ax.set_title(EVIL)
        page.pictures([(ax, EVIL)] * 2)
    return page


def test_every_text_is_escaped():
    reader = read(full_page())
    assert not any(tag == "script" for tag, _ in reader.elements)
    shown = "".join(reader.text)
    # Window, page, section, paragraph, title of the table, header, two cells, note, two captions;
    # and in each picture a layer, a model and a title.
    assert shown.count(EVIL) == 11 + 2 * 3
    labels = [a["aria-label"] for _, a in reader.elements if "aria-label" in a]
    assert labels == [EVIL] * 3


def test_nothing_is_fetched_from_elsewhere():
    reader = read(full_page())
    links = ("src", "href", "xlink:href", "action", "data", "poster", "srcset")
    for tag, attributes in reader.elements:
        assert tag not in ("link", "script", "iframe", "object", "embed", "base")
        for name in links:
            assert attributes.get(name, "#").startswith("#")
    assert not re.search(r"@import|url\((?!#)", full_page().html())


def test_identifiers_are_unique_and_references_lead_to_one():
    text = full_page().html()
    identifiers = re.findall(r'\bid="([^"]*)"', text)
    assert len(identifiers) == len(set(identifiers))
    references = re.findall(r'(?:href="#|url\(#)([^")]*)', text)
    assert references
    assert set(references) <= set(identifiers)


def test_pictures_take_the_colour_of_the_text():
    with drawing():
        ax = plotting.value_histogram(np.float32([0, 1]), 0.1, 10, refquant.quint8, ax=new_axes())
        plotting.weight_histogram(
            *(2 * [refquant.quantize_per_tensor(refquant.tensor([1.0]), 0.1, 0, refquant.qint8)]),
            ax=ax,
        )
        text = svg(ax, "one")
    drawn = re.findall(r'<text[^>]*style="([^"]*)"', text)
    assert len(drawn) > 10
    assert all("fill: currentColor" in style for style in drawn)
    assert "#000000" not in text


def test_equal_pictures_are_equal_texts():
    assert full_page().html() == full_page().html()


def test_drawing_leaves_the_style_of_the_reader_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    full_page()
    assert dict(matplotlib.rcParams) == before


# -- writing ------------------------------------------------------------------------------------


def test_a_page_is_written_as_utf8(tmp_path):
    page = Page("Größe")
    path = page.write(tmp_path / "page.html")
    assert path.read_bytes().decode("utf-8") == page.html()
    assert os.listdir(tmp_path) == ["page.html"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_written_file_has_ordinary_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    path = write_atomically(tmp_path / "page.html", "text")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_failed_write_leaves_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("former")

    def fail(*paths):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "former"
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Page("x").write(tmp_path / "none" / "page.html")
