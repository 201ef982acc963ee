"""Settings and fixtures of the whole suite."""

import os
import warnings

import hypothesis
import pytest
from oracle.processors import has_instructions_of_records, has_library_of_records

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
    # Processes that tests start must import the package that is installed, not the source tree.
    os.environ["PYTHONSAFEPATH"] = "1"
    # The records of oneDNN are processors with VNNI and without AMX; it reads this when it starts.
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
    if config.getoption("--thorough"):
        hypothesis.settings.load_profile("thorough")


def pytest_report_header():
    return (
        f"refquant {refquant.__version__} from {refquant.__path__[0]}: "
        f"kernels {refquant.kernels.current()!r} of {', '.join(refquant.kernels.available())}, "
        f"{refquant.get_num_threads()} threads"
    )


@pytest.fixture(scope="session")
def installed_torch():
    """PyTorch 2.13, whose answers the engines give; tests that use it are skipped without it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own deprecations
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        # The first quantized tensor warns once of PyTorch's own deprecations.
        torch.quantize_per_tensor(torch.zeros(1), 1.0, 0, torch.quint8)
    if not torch.__version__.startswith("2.13."):
        pytest.skip(f"PyTorch {torch.__version__} is installed, the engines are those of 2.13")
    missing = {"fbgemm", "qnnpack"} - set(torch.backends.quantized.supported_engines)
    if missing:
        pytest.skip(f"this PyTorch lacks {', '.join(missing)}")
    return torch


@pytest.fixture
def torch(installed_torch):
    """PyTorch with one thread, because threads move the tails; its settings are restored."""
    engine = installed_torch.backends.quantized.engine
    threads = installed_torch.get_num_threads()
    installed_torch.set_num_threads(1)
    yield installed_torch
    installed_torch.set_num_threads(threads)
    installed_torch.backends.quantized.engine = engine


@pytest.fixture
def instructions_of_records(torch):
    """Skip a test whose answers PyTorch gives otherwise on a processor without AVX512-VNNI."""
    if not has_instructions_of_records(torch):
        pytest.skip("PyTorch computes this otherwise without AVX512-VNNI; its answers are recorded")


@pytest.fixture
def library_of_records(torch):
    """Skip a test whose floats PyTorch computes otherwise on a processor of another maker.

    Sums of products have another order there, and square roots another rounding.
    """
    if not has_library_of_records(torch):
        pytest.skip(
            "Intel's library, by which PyTorch computes floats, takes another path on this "
            "processor; its answers are recorded"
        )


@pytest.fixture(params=["fbgemm", "qnnpack"])
def engine_of_both(torch, request):
    """Run a test under each engine that both libraries have; its value is the name."""
    torch.backends.quantized.engine = request.param
    with refquant.engines.using(request.param):
        yield request.param


@pytest.hookimpl(tryfirst=True)  # before `-m torch` chooses
def pytest_collection_modifyitems(items):
    """Mark every test that asks for PyTorch."""
    for item in items:
        if "installed_torch" in getattr(item, "fixturenames", ()):
            item.add_marker("torch")


@pytest.fixture(autouse=True)
def _settings_stay():
    """Restore the engine, the kernels and the number of threads after each test."""
    engine = refquant.engines.current().name
    choice = refquant.kernels.current()
    threads = refquant.get_num_threads()
    yield
    refquant.engines.use(engine)
    refquant.kernels.use(choice)
    refquant.set_num_threads(threads)


@pytest.fixture
def release_1_4():
    """Run a test under an engine of PyTorch 1.4."""
    with refquant.engines.using("fbgemm-1.4"):
        yield


@pytest.fixture(params=["fbgemm", "qnnpack", "fbgemm-1.4", "qnnpack-1.4"])
def engine(request):
    """Run a test under each of the built-in engines; its value is the name."""
    with refquant.engines.using(request.param):
        yield request.param
