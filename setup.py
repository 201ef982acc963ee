"""Build recipe of the kernels; everything else about the package stands in pyproject.toml.

Each file ``_kernels/NAME.pyx`` becomes one extension module per instruction set, compiled from a
private copy: ``refquant._kernels.NAME_baseline``, ``NAME_avx2`` and so on. Environment:

``REFQUANT_PURE_PYTHON=1``
    Build no extension at all; the package then runs by its definitions alone, and says nothing
    about it, because a module ``refquant._kernels._pure`` tells that this is meant.
``REFQUANT_REQUIRE_EXT=1``
    A kernel that cannot be built is an error. Without it the build goes on and says so.
``REFQUANT_NO_OPENMP=1``
    Build without threads.
``REFQUANT_VARIANTS="baseline avx2"``
    Build these instruction sets only.
``REFQUANT_SANITIZE=address,undefined``
    Build kernels that check themselves while they run, as fast as they are shipped otherwise (GCC
    or clang): `tests/sanitized/run` builds them, and runs the tests under them.
``REFQUANT_KEEP_KERNELS=1``
    For an editable installation take the kernels that ``python setup.py build_ext --inplace`` has
    built, unless their sources have changed since; pip would compile them again.

A line on standard error tells how many kernels are being compiled; pip shows it with ``-v``.
"""

import json
import multiprocessing
import os
import shutil
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.modified import newer_group

SOURCES = Path("_kernels")
COPIES = Path("build") / "cython" / "refquant" / "_kernels"
PACKAGE = "refquant._kernels"
SHARED = f"{PACKAGE}._cyutility"

COMMON = {
    # Contraction would fuse products and sums where the formula rounds twice.
    # No exception passes through C: tables to unwind it would only make files larger.
    "unix": [
        *("-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden"),
        *("-fno-asynchronous-unwind-tables", "-fno-unwind-tables"),
    ],
    "msvc": ["/O2", "/fp:precise"],
}

X86_V2 = ["-mssse3", "-msse4.1", "-msse4.2", "-mpopcnt"]
X86_V3 = [*X86_V2, "-mavx", "-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mlzcnt"]
X86_V4 = [
    *X86_V3,
    *("-mavx512f", "-mavx512cd", "-mavx512vl", "-mavx512bw", "-mavx512dq", "-mavx512vnni"),
    "-mprefer-vector-width=512",
]
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
# Exponentials choose between numbers: without masks, vectors need both, and GCC computes both only
# if no operation can trap. Other families would get vectors for what is rare, in larger files.
OF_FAMILIES = {"recurrence": {"unix": ["-fno-trapping-math"], "msvc": []}}
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
    """Instruction sets to build, weakest first: {name: flags by kind of compiler}."""
    known = variants_of_machine()
    wanted = os.environ.get("REFQUANT_VARIANTS", "").replace(",", " ").split() or list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SystemExit(f"REFQUANT_VARIANTS: {unknown} are not among {list(known)}")
    return {name: flags for name, flags in known.items() if name in wanted}


def variants_of_machine():
    """Instruction sets of this machine, weakest first."""
    # Such as linux-x86_64, win-amd64, macosx-11.0-arm64; cross builds set _PYTHON_HOST_PLATFORM.
    machine = sysconfig.get_platform().rsplit("-", 1)[-1].lower()
    if machine in ("x86_64", "amd64"):
        # Emulated x86 on Apple hardware stops at instructions above the baseline.
        names = ["baseline"] if sys.platform == "darwin" else list(VARIANTS["x86"])
        return {name: VARIANTS["x86"][name] for name in names}
    return VARIANTS["arm" if machine in ("aarch64", "arm64") else "other"]


def sanitizing(kind):
    """Return the flags of the sanitizers that are asked for; a report ends the program."""
    wanted = os.environ.get("REFQUANT_SANITIZE", "").replace(",", " ").split()
    unknown = [name for name in wanted if name not in ("address", "undefined")]
    if unknown or (wanted and kind == "msvc"):
        raise SystemExit(f"REFQUANT_SANITIZE: {unknown or wanted} cannot be built here")
    if not wanted:
        return []
    checks = [f"-fsanitize={name}" for name in wanted]
    return [*checks, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g1"]


def extensions():
    """List every extension module, with the name of its variant and its Cython source."""
    if switched_on("REFQUANT_PURE_PYTHON"):
        if switched_on("REFQUANT_REQUIRE_EXT"):
            raise SystemExit("REFQUANT_PURE_PYTHON and REFQUANT_REQUIRE_EXT exclude each other")
        return []
    modules = [(SHARED, None, [])]
    for source in sorted(SOURCES.glob("*.pyx")):
        if source.stem.startswith("_"):
            modules.append((f"{PACKAGE}.{source.stem}", None, [source.as_posix()]))
        else:
            for variant in variants():
                name = f"{PACKAGE}.{source.stem}_{variant}"
                modules.append((name, variant, [source.as_posix()]))
    found = []
    for name, variant, sources in modules:
        extension = Extension(name, sources, optional=not switched_on("REFQUANT_REQUIRE_EXT"))
        extension.refquant_variant = variant
        found.append(extension)
    return found


def family_of(extension):
    """Return the name of a module without its package and variant."""
    name = extension.name.rpartition(".")[2]
    return name.removesuffix(f"_{extension.refquant_variant}")


class BuildExtensions(build_ext):
    """Translate all modules to C and compile them in parallel, each with its own flags."""

    def build_extensions(self):
        """Choose flags now that the compiler is known, then compile."""
        kind = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        compile_openmp, link_openmp = self.openmp_flags(kind)
        common = COMMON[kind] + compile_openmp + sanitizing(kind)
        by_variant = {name: flags[kind] for name, flags in variants().items()}
        self.translate()
        for extension in self.extensions:
            flags = by_variant.get(extension.refquant_variant, [])
            flags = flags + OF_FAMILIES.get(family_of(extension), {kind: []})[kind]
            extension.extra_compile_args = common + flags
            extension.extra_link_args = link_openmp + sanitizing(kind)
            if kind == "unix" and sys.platform.startswith("linux") and not sanitizing(kind):
                extension.extra_link_args.append("-Wl,--strip-all")
            if extension.name == f"{PACKAGE}._cpu":  # which tells them to show_config()
                families = {name: flags[kind] for name, flags in OF_FAMILIES.items()}
                record = json.dumps({"common": common, **families, **by_variant})
                extension.define_macros = [("REFQUANT_FLAGS", json.dumps(record))]
        if switched_on("REFQUANT_KEEP_KERNELS") and self.editable_mode:
            self.take_kernels()
        outdated = [e for e in self.extensions if self.is_outdated(e)]
        self.progress = Progress(len(outdated))
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()
        self.remove_leftovers()
        self.report()

    def build_extension(self, extension):
        """Compile one module, and say which it is if it is not up to date."""
        if self.is_outdated(extension):
            self.progress.step()
        super().build_extension(extension)

    def is_outdated(self, extension):
        """Whether a module has to be compiled."""
        target = self.get_ext_fullpath(extension.name)
        return self.force or newer_group([*extension.sources, *extension.depends], target)

    def take_kernels(self):
        """Copy what was built in the source folder to where this build looks for it."""
        for extension in self.extensions:
            target = Path(self.get_ext_fullpath(extension.name))
            built = SOURCES / target.name
            if built.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(built, target)

    def translate(self):
        """Turn Cython sources into C, each from a copy that bears the name of its module."""
        from Cython.Build import cythonize

        for package in (COPIES.parent, COPIES):
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").touch()
        headers = sorted(SOURCES.glob("*.pxd"))
        for header in headers:
            copy_if_changed(header, COPIES / header.name)
        for old in set(COPIES.glob("*.pxd")) - {COPIES / header.name for header in headers}:
            old.unlink()
        wanted = []
        for extension in self.extensions:
            stem = extension.name.rpartition(".")[2]
            if extension.name == SHARED:
                copy = str(COPIES / f"{stem}.c")
            else:
                copy = copy_if_changed(Path(extension.sources[0]), COPIES / f"{stem}.pyx")
            wanted.append(Extension(extension.name, [copy]))
        # Other ways to start processes would run this file again.
        forks = multiprocessing.get_start_method() == "fork"
        translated = cythonize(
            wanted,
            shared_utility_qualified_name=SHARED,
            compiler_directives=DIRECTIVES,
            include_path=[str(COPIES.parent.parent)],
            nthreads=os.cpu_count() or 1 if forks else 0,
        )
        sources = {module.name: module.sources for module in translated}
        for extension in self.extensions:
            extension.sources = sources[extension.name]

    def openmp_flags(self, kind):
        """(compile flags, link flags) that a trial program accepted, or two empty lists."""
        if switched_on("REFQUANT_NO_OPENMP"):
            return [], []
        flag = "/openmp" if kind == "msvc" else "-fopenmp"
        link = [] if kind == "msvc" else [flag]
        with tempfile.TemporaryDirectory() as folder:
            trial = Path(folder) / "trial.c"
            trial.write_text(
                "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
            )
            try:
                objects = self.compiler.compile(
                    [str(trial)], output_dir=folder, extra_postargs=[flag]
                )
                self.compiler.link_executable(
                    objects, str(Path(folder) / "trial"), extra_postargs=link
                )
            except Exception as error:  # every compiler has exceptions of its own
                print(f"refquant: no OpenMP ({error}); kernels will use one thread")
                return [], []
        return [flag], link

    def remove_leftovers(self):
        """Delete modules of sources that are gone, which a wheel would otherwise contain."""
        package = PACKAGE.replace(".", os.sep)
        wanted = {Path(self.get_ext_filename(e.name)).name for e in self.extensions}
        suffix = next(iter(wanted)).partition(".")[2]
        for folder in (Path(self.build_lib) / package, SOURCES):
            for module in folder.glob(f"*.{suffix}"):
                if module.name not in wanted:
                    module.unlink()

    def report(self):
        """Say loudly, once, what could not be built."""
        missing = [
            e.name for e in self.extensions if not Path(self.get_ext_fullpath(e.name)).exists()
        ]
        if missing:
            line = "=" * 88
            print(
                f"\n{line}\nWARNING: refquant could not compile {len(missing)} of "
                f"{len(self.extensions)} kernel modules. The package works, by its definitions "
                "alone:\nthe same results, slower. The messages of the compiler are above. To "
                "build the kernels,\ninstall a C compiler (gcc or clang) and run\n\n"
                "    REFQUANT_REQUIRE_EXT=1 pip install --force-reinstall --no-cache-dir "
                f"refquant\n{line}\n",
                file=sys.stderr,
            )


class Progress:
    """A line that counts kernels: rewritten on a terminal, a line for each tenth in a log."""

    def __init__(self, total):
        self.total, self.done, self.lock = total, 0, threading.Lock()

    def step(self):
        """Begin another kernel."""
        with self.lock:
            self.done += 1
            text = f"compiling {self.done} of {self.total} kernels ..."
            last = self.done == self.total
            if sys.stderr.isatty():
                print(f"\r{text}", end="\n" if last else "", file=sys.stderr, flush=True)
            elif last or self.done * 10 // self.total > (self.done - 1) * 10 // self.total:
                print(text, file=sys.stderr, flush=True)


class BuildModules(build_py):
    """Copy the Python modules, delete those whose source is gone, and mark a build as pure."""

    def run(self):
        """Copy, delete, mark."""
        super().run()
        if not self.editable_mode:
            wanted = {Path(output).resolve() for output in self.get_outputs()}
            for module in Path(self.build_lib, "refquant").rglob("*.py"):
                if module.resolve() not in wanted:
                    module.unlink()
        package = SOURCES if self.editable_mode else Path(self.build_lib, *PACKAGE.split("."))
        marker = package / "_pure.py"
        if switched_on("REFQUANT_PURE_PYTHON"):
            marker.write_text('"""This package was built without kernels on purpose."""\n')
        else:
            marker.unlink(missing_ok=True)


def copy_if_changed(source, target):
    """Copy a source file, leaving an equal copy alone so that it is not compiled again."""
    if not target.exists() or target.read_bytes() != source.read_bytes():
        shutil.copyfile(source, target)
    return str(target)


os.chdir(Path(__file__).resolve().parent)
setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildExtensions, "build_py": BuildModules},
)
