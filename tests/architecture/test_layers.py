"""Imports go down only: every module belongs to a layer, and none imports from a higher one."""

import ast
import importlib
import inspect
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import refquant

ROOT = Path(refquant.__file__).parent

# From the top; of several entries that fit a module the longest counts.
LAYERS = {
    10: "cli __main__ testing demo course ao",
    9: "oracle reporting plotting interop ptq",
    8: "quantization",
    7: "nn.quantized nn.qat nn.intrinsic nn.quantizable",
    6: "quantization.observers quantization.observer quantization.fake_quantize "
    "quantization.fake_quantization quantization.qconfig",
    5: "nn optim utils io cuda accelerator random",
    4: "ops",
    3: "tensors",
    2: "kernels reference _kernels _show_config",
    1: "engines backends",
    0: "dtypes errors arguments html archive atomic progress extras "
    "_documentation _environment _kernels._environment _lazy _operation _paths _turns _version",
}
LAYER_OF = {place: layer for layer, places in LAYERS.items() for place in places.split()}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


# Package files re-export, and belong to the top.
PATHS = {
    name_of(path): path
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__init__.py" and "_kernels" not in path.parts
}


def layer(module: str) -> int | None:
    """Look up the layer of a module by its longest known prefix."""
    parts = module.split(".")
    prefixes = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((LAYER_OF[prefix] for prefix in prefixes if prefix in LAYER_OF), None)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def named(node: ast.AST) -> list[str]:
    """Names of refquant that an import names, as dotted paths below the package."""
    if isinstance(node, ast.Import):
        found = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        found = [f"{node.module}.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0]
        found = [first.value] if isinstance(first, ast.Constant) else []
    else:
        found = []
    return [name.removeprefix("refquant.") for name in found if name.startswith("refquant.")]


def imports_all(module: str) -> bool:
    """Whether a module imports refquant as a whole: everything that is at the top."""
    tree = ast.parse(PATHS[module].read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.Import) and any(alias.name == "refquant" for alias in node.names)
        for node in ast.walk(tree)
    )


def imports(module: str) -> tuple[set[str], list[str]]:
    """Return the modules that a module imports, and our imports inside its functions."""
    found: set[str] = set()
    inside = []

    def walk(node: ast.AST, function: str | None) -> None:
        if is_for_types(node):
            return
        for name in named(node):
            home = name if name in PATHS else name.rpartition(".")[0]
            # A package represents what its file re-exports.
            found.update([home] if home in PATHS else re_exported(home, name.rpartition(".")[2]))
            if function is not None and not isinstance(node, ast.Call):
                inside.append(f"{module}:{node.lineno} in {function}() imports {name}")
        for child in ast.iter_child_nodes(node):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            walk(child, getattr(node, "name", "lambda") if is_function else function)

    walk(ast.parse(PATHS[module].read_text(encoding="utf-8")), None)
    return found - {module}, inside


def re_exported(package: str, name: str) -> set[str]:
    """Return the modules in which a name that a package re-exports is defined."""
    folder = ROOT.joinpath(*package.split(".")) if package else ROOT
    for file in (folder / "__init__.pyi", folder / "__init__.py"):
        if not file.exists():
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        path = f"{node.module}.{alias.name}".removeprefix("refquant.")
                        home = path if path in PATHS else path.rpartition(".")[0]
                        return {home} & set(PATHS)
    return set()


def test_every_module_stands_in_a_layer():
    assert [module for module in PATHS if layer(module) is None] == []


def test_no_module_imports_from_a_higher_layer():
    upward = [
        f"{module} ({layer(module)}) imports {other} ({layer(other)})"
        for module in PATHS
        for other in sorted(imports(module)[0])
        if (layer(other) or 0) > (layer(module) or 0)
    ]
    top = max(LAYERS)
    upward += [
        f"{module} ({layer(module)}) imports refquant ({top})"
        for module in PATHS
        if (layer(module) or 0) < top and imports_all(module)
    ]
    assert upward == []


def test_imports_run_in_no_circle():
    try:
        TopologicalSorter({module: imports(module)[0] for module in PATHS}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_import_of_ours_hides_in_a_function():
    assert [line for module in PATHS for line in imports(module)[1]] == []


def test_no_module_bears_the_name_of_a_function_that_its_package_exports():
    """The function would hide the module, or the module the function."""
    hidden = []
    for module in PATHS:
        package, _, name = module.rpartition(".")
        exported = getattr(importlib.import_module(f"refquant.{package}".rstrip(".")), name, None)
        if exported is not None and not inspect.ismodule(exported):
            hidden.append(module)
    assert hidden == []
