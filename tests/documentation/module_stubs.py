"""Stubs of modules with their docstrings as they are while a program runs."""

import ast
import copy
import importlib
import inspect
import re
import textwrap

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# They do their work when a module is imported, and change no signature.
_DROPPED = {"_shown", "dispatched", "documented", "named", "operation", "row"}
_EXPANDS = re.compile(r"^ *@(_shown|documented|operation|row)\b|^document\(", re.MULTILINE)


def files(root):
    """Return the stubs of modules whose docstrings differ from those in the source, by path."""
    made = {}
    for path in sorted(root.rglob("*.py")):
        if path.name.startswith("__"):
            continue
        source = path.read_text(encoding="utf-8")
        if not _EXPANDS.search(source):
            continue
        module = importlib.import_module(
            ".".join((root.name, *path.relative_to(root).with_suffix("").parts))
        )
        made[path.with_suffix(".pyi")] = stub(ast.parse(source), module)
    return made


def docstring(text, indent):
    """Write a docstring."""
    inner = textwrap.indent(inspect.cleandoc(text), " " * indent)
    raw = "r" if "\\" in text else ""
    end = f"\n{' ' * indent}" if "\n" in inner else ""
    return f'{" " * indent}{raw}"""{inner.strip()}{end}"""'


def stub(tree, module):
    """Declare what a module has: imports, names, signatures, whole docstrings."""
    lines = [docstring(module.__doc__, 0), "", "from typing import Any", ""]
    for node in tree.body:
        lines += [""] * isinstance(node, _DEFINITIONS) + declaration(node, module, tree)
    return "\n".join(lines) + "\n"


def declaration(node, owner, tree, indent=0):
    """Declare one statement of a module or class as lines."""
    space = " " * indent
    if isinstance(node, ast.Import | ast.ImportFrom | ast.If):
        return textwrap.indent(ast.unparse(node), space).split("\n")
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return [space + line for line in assignment(node, owner, tree)]
    if isinstance(node, ast.FunctionDef):
        return function(node, node.name, getattr(owner, node.name, None), indent)
    if isinstance(node, ast.ClassDef):
        return class_(node, getattr(owner, node.name), indent)
    return []


def assignment(node, owner, tree):
    """Declare a variable; a function that another one was made from looks like that one."""
    name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
    if isinstance(node, ast.AnnAssign):
        value = ast.unparse(node.value) if node.value is not None else ""
        value = value if value.startswith("field(") else value and "..."
        default = f" = {value}" if value and inspect.isclass(owner) else ""
        return [f"{name}: {ast.unparse(node.annotation)}{default}"]
    value = getattr(owner, name, None)
    functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    if isinstance(node.value, ast.Name) and node.value.id in functions:
        return [ast.unparse(node)]
    # Whether a module encloses its functions depends on the installation.
    made_from = getattr(inspect.unwrap(value), "__name__", None) if callable(value) else None
    for definition in tree.body:
        if isinstance(definition, ast.FunctionDef) and definition.name == made_from:
            return function(taken(definition, value), name, value, 0)
    if name == "__all__" or "TypeVar(" in ast.unparse(node) or is_alias(value):
        return [ast.unparse(node)]
    return [f"{name}: Any" for name in name.strip("()").split(", ") if name.isidentifier()]


def taken(node, value):
    """Copy a definition, without the keywords that a function made from it does not take."""
    node, kept = copy.deepcopy(node), inspect.signature(value).parameters
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    pairs = [(keyword, default) for keyword, default in keywords if keyword.arg in kept]
    node.args.kwonlyargs = [keyword for keyword, _ in pairs]
    node.args.kw_defaults = [default for _, default in pairs]
    return node


def is_alias(value):
    """Whether a value is a type, which annotations may name."""
    return inspect.isclass(value) or type(value).__module__ in ("typing", "types")


def function(node, name, value, indent):
    """Declare a function; what has no annotation is `Any`."""
    space = " " * indent
    lines = []
    for decorator in node.decorator_list:
        word = ast.unparse(decorator)
        if word.split("(")[0] not in _DROPPED:
            lines.append(f"{space}@{word}")
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    for argument in [*every, arguments.vararg, arguments.kwarg]:
        if argument is None or argument.annotation is not None or argument.arg in ("self", "cls"):
            continue
        argument.annotation = ast.Name("Any")
    unknown = "None" if name == "__init__" else "Any"
    returns = unknown if node.returns is None else ast.unparse(node.returns)
    lines.append(f"{space}def {name}({ast.unparse(arguments)}) -> {returns}:")
    text = getattr(value, "__doc__", None) or ast.get_docstring(node)
    lines[-1:] = [f"{lines[-1]} ..."] if not text else [lines[-1], docstring(text, indent + 4)]
    return lines


def class_(node, owner, indent):
    """Declare a class: its methods, its attributes, and what its methods give to ``self``."""
    space = " " * indent
    lines = [
        f"{space}@{word}"
        for word in map(ast.unparse, node.decorator_list)
        if word.split("(")[0] not in _DROPPED
    ]
    bases = ", ".join(map(ast.unparse, [*node.bases, *node.keywords]))
    lines.append(f"{space}class {node.name}({bases}):" if bases else f"{space}class {node.name}:")
    if owner.__doc__:
        lines.append(docstring(owner.__doc__, indent + 4))
    known = set()
    for inner in node.body:
        if isinstance(inner, ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.ClassDef):
            lines += declaration(inner, owner, node, indent + 4)
            known |= {t.id for t in ast.walk(inner) if isinstance(t, ast.Name)}
            known |= {inner.name} if isinstance(inner, _DEFINITIONS) else set()
    for name, kind in given(node).items():
        if name not in known:
            lines.append(f"{space}    {name}: {kind}")
    return lines if len(lines) > 1 else [f"{lines[0]} ..."]


def given(node):
    """Return the attributes that methods of a class give to ``self``, each with its annotation."""
    found = {}
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return found
    for method in node.body:
        if not isinstance(method, ast.FunctionDef):
            continue
        kinds = {a.arg: a.annotation for a in ast.walk(method.args) if isinstance(a, ast.arg)}
        for inner in ast.walk(method):
            if isinstance(inner, ast.AnnAssign):
                targets, kind = [inner.target], inner.annotation
            elif isinstance(inner, ast.Assign):
                targets = inner.targets
                kind = kinds.get(inner.value.id) if isinstance(inner.value, ast.Name) else None
            else:
                continue
            for target in targets:
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                    found.setdefault(target.attr, "Any" if kind is None else ast.unparse(kind))
    return found
