"""Progress bars: drawn on terminals, silent elsewhere."""

import io
import re

import pytest

from refquant.progress import Progress, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def last_line(stream):
    return stream.getvalue().rstrip("\n").split("\r")[-1].rstrip()


def test_nothing_is_drawn_where_nobody_watches():
    stream = io.StringIO()
    assert list(track(range(3), "working", stream=stream)) == [0, 1, 2]
    assert stream.getvalue() == ""


def test_a_terminal_shows_the_whole_bar_in_the_end():
    stream = Terminal()
    assert list(track(range(3), "working", stream=stream)) == [0, 1, 2]
    assert re.fullmatch(rf"working  \[{'#' * 24}\]  3/3  \d+\.\d s", last_line(stream))
    assert stream.getvalue().endswith("\n")


def test_it_can_be_asked_for_and_rejected():
    wanted, unwanted = io.StringIO(), Terminal()
    list(track([1], "working", show=True, stream=wanted))
    list(track([1], "working", show=False, stream=unwanted))
    assert "1/1" in wanted.getvalue()
    assert unwanted.getvalue() == ""


def test_without_a_length_steps_are_counted():
    stream = io.StringIO()
    list(track(iter("abc"), "reading", show=True, stream=stream))
    assert re.fullmatch(r"reading  3  \d+\.\d s", last_line(stream))


def test_a_note_stands_at_the_end():
    bar = Progress("training", total=4, show=False)
    bar.advance(note="loss 0.5")
    bar.advance(2)
    assert re.fullmatch(r"training  \[#{18}\.{6}\]  3/4  \d+\.\d s  loss 0\.5", bar.line())


def test_more_steps_than_announced_stay_inside_the_bar():
    bar = Progress("training", total=2, show=False)
    bar.advance(5)
    assert f"[{'#' * 24}]  5/2" in bar.line()


def test_a_shorter_line_wipes_the_longer_one():
    stream = io.StringIO()
    with Progress("working", show=True, stream=stream) as bar:
        bar.advance(note="a very long note indeed")
        bar.note = ""
    first, second = stream.getvalue().rstrip("\n").split("\r")[1:]
    assert len(second) == len(first)


def test_an_error_leaves_the_line_finished():
    stream = io.StringIO()

    def work():
        with Progress("working", total=2, show=True, stream=stream) as bar:
            bar.advance()
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert stream.getvalue().endswith("\n")
