"""Build recipe of the kernels; everything else about the package stands in pyproject.toml.

Each file ``_kernels/NAME.pyx`` becomes one extension module per instruction set, compiled from a
private copy: ``refquant._kernels.NAME_baseline``, ``NAME_avx2`` and so on. Environment:

``REFQUANT_PURE_PYTHON=1``
    Build no extension at all; the package then runs by its definitions alone.
``REFQUANT_REQUIRE_EXT=1``
    A kernel that cannot be built is an error. Without it the build goes on and says so.
``REFQUANT_NO_OPENMP=1``
    Build without threads.
"""

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
SOURCES = Path("_kernels")
COPIES = Path("build") / "cython" / "refquant" / "_kernels"

COMMON = {
    # Contraction would fuse products and sums where the formula rounds twice.
    "unix": ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"],
    "msvc": ["/O2", "/fp:precise"],
}

X86_V2 = ["-mssse3", "-msse4.1", "-msse4.2", "-mpopcnt"]
X86_V3 = [*X86_V2, "-mavx", "-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mlzcnt"]
X86_V4 = [*X86_V3, "-mavx512f", "-mavx512cd", "-mavx512vl", "-mavx512bw", "-mavx512dq",
          "-mavx512vnni", "-mprefer-vector-width=512"]
VARIANTS = {
    "x86": {
        "baseline": {"unix": X86_V2, "msvc": []},
        "avx2": {"unix": X86_V3, "msvc": ["/arch:AVX2"]},
        "avx512vnni": {"unix": X86_V4, "msvc": ["/arch:AVX512"]},
    },
    "arm": {
        "baseline": {"unix": [], "msvc": []},
        "dotprod": {"unix": ["-march=armv8.2-a+dotprod"], "msvc": []},
        "i8mm": {"unix": ["-march=armv8.2-a+dotprod+i8mm"], "msvc": []},
    },
    "other": {"baseline": {"unix": [], "msvc": []}},
}
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
}


def switched_on(name):
    """Whether the environment variable `name` is set to something other than 0."""
    return os.environ.get(name, "0") not in ("", "0")


def variants():
    """Instruction sets of this machine, weakest first: {name: flags by kind of compiler}."""
    # Such as linux-x86_64, win-amd64, macosx-11.0-arm64; cross builds set _PYTHON_HOST_PLATFORM.
    machine = sysconfig.get_platform().rsplit("-", 1)[-1].lower()
    if machine in ("x86_64", "amd64"):
        # Emulated x86 on Apple hardware stops at instructions above the baseline.
        names = ["baseline"] if sys.platform == "darwin" else list(VARIANTS["x86"])
        return {name: VARIANTS["x86"][name] for name in names}
    return VARIANTS["arm" if machine in ("aarch64", "arm64") else "other"]


class BuildExtensions(build_ext):
    """Compile all modules in parallel, each with the flags of its instruction set."""

    def build_extensions(self):
        """Choose flags now that the compiler is known, then compile."""
        kind = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        compile_openmp, link_openmp = self.openmp_flags(kind)
        for extension in self.extensions:
            flags = variants().get(extension.refquant_variant, {"unix": [], "msvc": []})
            extension.extra_compile_args = COMMON[kind] + flags[kind] + compile_openmp
            extension.extra_link_args = list(link_openmp)
            if kind == "unix" and sys.platform.startswith("linux"):
                extension.extra_link_args.append("-Wl,--strip-debug")
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()

    def openmp_flags(self, kind):
        """(compile flags, link flags) that a trial program accepted, or two empty lists."""
        if switched_on("REFQUANT_NO_OPENMP"):
            return [], []
        flag = "/openmp" if kind == "msvc" else "-fopenmp"
        link = [] if kind == "msvc" else [flag]
        with tempfile.TemporaryDirectory() as folder:
            trial = Path(folder) / "trial.c"
            trial.write_text("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
            try:
                objects = self.compiler.compile(
                    [str(trial)], output_dir=folder, extra_postargs=[flag])
                self.compiler.link_executable(
                    objects, str(Path(folder) / "trial"), extra_postargs=link)
            except Exception as error:  # every compiler has exceptions of its own
                print(f"refquant: no OpenMP ({error}); kernels will use one thread")
                return [], []
        return [flag], link


def copy_if_changed(source, target):
    """Copy a source file, leaving an equal copy alone so that it is not compiled again."""
    if not target.exists() or target.read_bytes() != source.read_bytes():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return str(target)


def extensions():
    """Every extension module, as C sources."""
    if switched_on("REFQUANT_PURE_PYTHON"):
        if switched_on("REFQUANT_REQUIRE_EXT"):
            raise SystemExit("REFQUANT_PURE_PYTHON and REFQUANT_REQUIRE_EXT exclude each other")
        return []
    os.chdir(HERE)
    from Cython.Build import cythonize

    for package in (COPIES.parent, COPIES):
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
    for header in sorted(SOURCES.glob("*.pxd")):
        copy_if_changed(header, COPIES / header.name)
    shared = str(COPIES / "_cyutility.c")
    wanted = [(Extension("refquant._kernels._cyutility", [shared]), "shared")]
    for source in sorted(SOURCES.glob("*.pyx")):
        if source.stem.startswith("_"):
            copy = copy_if_changed(source, COPIES / source.name)
            wanted.append((Extension(f"refquant._kernels.{source.stem}", [copy]), "shared"))
            continue
        for variant in variants():
            name = f"{source.stem}_{variant}"
            copy = copy_if_changed(source, COPIES / f"{name}.pyx")
            wanted.append((Extension(f"refquant._kernels.{name}", [copy]), variant))
    by_name = {extension.name: variant for extension, variant in wanted}
    modules = cythonize(
        [extension for extension, _ in wanted],
        shared_utility_qualified_name="refquant._kernels._cyutility",
        compiler_directives=DIRECTIVES,
        include_path=[str(COPIES.parent.parent)],
        nthreads=os.cpu_count() or 1,
    )
    for module in modules:
        module.refquant_variant = by_name[module.name]
        module.optional = not switched_on("REFQUANT_REQUIRE_EXT")  # cythonize() drops it
    return modules


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExtensions})
