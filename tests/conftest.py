"""Settings of the whole suite: what every test finds, and what it must leave behind."""

import os
from importlib import util

import hypothesis
import pytest

import refquant

hypothesis.settings.register_profile(
    "ci", derandomize=True, database=None, deadline=None, max_examples=50
)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("ci")


def pytest_addoption(parser):
    parser.addoption(
        "--thorough", action="store_true", help="many more random examples, other ones each time"
    )


def pytest_configure(config):
    # Processes that tests start shall import the package that is installed, not the source tree.
    os.environ["PYTHONSAFEPATH"] = "1"
    if config.getoption("--thorough"):
        hypothesis.settings.load_profile("thorough")


def pytest_report_header():
    return (
        f"refquant {refquant.__version__} from {refquant.__path__[0]}: "
        f"kernels {refquant.kernels.current()!r} of {', '.join(refquant.kernels.available())}, "
        f"{refquant.get_num_threads()} threads"
    )


def pytest_collection_modifyitems(items):
    if util.find_spec("torch") is None:
        mark = pytest.mark.skip(reason="compares with PyTorch, which is not installed")
        for item in items:
            if item.get_closest_marker("torch"):
                item.add_marker(mark)


@pytest.fixture(autouse=True)
def _settings_stay():
    """Give the next test the engine, kernels and threads that this one found."""
    engine = refquant.engines.current().name
    choice = refquant.kernels.current()
    threads = refquant.get_num_threads()
    yield
    refquant.engines.use(engine)
    refquant.kernels.use(choice)
    refquant.set_num_threads(threads)


@pytest.fixture(params=["fbgemm", "qnnpack", "fbgemm-1.4", "qnnpack-1.4"])
def engine(request):
    """Run a test under each of the built-in engines; its value is the name."""
    with refquant.engines.using(request.param):
        yield request.param
