"""Reads the published stubs: which names a host's module has, and with which signatures."""

import ast
import functools
import importlib.util
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SIMPLE_TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}


@dataclass(frozen=True)
class Function:
    """One name that can be called. `signatures`: one, or its overloads; without `self`."""

    signatures: tuple[inspect.Signature, ...]

    @property
    def is_checked(self) -> bool:
        """False where the stub takes anything."""
        kinds = [{parameter.kind for parameter in each.parameters.values()} for each in self.signatures]
        anything = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
        return anything not in kinds

    def misfit(self, args: tuple[object, ...], kwargs: dict[str, object]) -> str:
        """Why a call does not fit any of the signatures; "" if it fits."""
        reasons = [_misfit(signature, args, kwargs) for signature in self.signatures]
        return "" if "" in reasons else "; ".join(dict.fromkeys(reasons))


@dataclass(frozen=True)
class Class:
    """A class of the stubs, with what it inherits."""

    name: str
    members: dict[str, "Function | None"]  # None: an attribute


@dataclass
class Module:
    """The public names of a stub. None: a value."""

    name: str
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)

    def has(self, name: str) -> bool:
        return name in self.functions or name in self.classes or name in self.values


@functools.cache
def read_stubs(module: str) -> Module:
    """Of `nuke` or `hou`, as installed by the dev extra."""
    found = importlib.util.find_spec(f"{module}-stubs")
    assert found is not None, f"types-{module} is not installed; it comes with the dev extra"
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0])
    stub, trees = Module(module), list(_statements(folder, "__init__"))
    nodes = {node.name: node for node in trees if isinstance(node, ast.ClassDef)}
    overloads: dict[str, list[inspect.Signature]] = {}
    for node in trees:
        if isinstance(node, ast.FunctionDef):
            overloads.setdefault(node.name, []).append(_signature(node, drops_first=False))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            stub.values.add(node.target.id)
    stub.functions = {name: Function(tuple(signatures)) for name, signatures in overloads.items()}
    stub.classes = {name: Class(name, _members(node, nodes)) for name, node in nodes.items()}
    return stub


def _statements(folder: Path, name: str) -> Iterator[ast.stmt]:
    """Of a module, and of its own modules that it imports by `*`, or of which it imports names."""
    for node in ast.parse((folder / f"{name}.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            wanted = {alias.name for alias in node.names}
            for inner in _statements(folder, node.module):
                if "*" in wanted or getattr(inner, "name", None) in wanted:
                    yield inner
        else:
            yield node


def _members(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> dict[str, Function | None]:
    members: dict[str, Function | None] = {}
    for base in reversed(node.bases):
        name = ast.unparse(base).split("[")[0]
        if name in classes:
            members |= _members(classes[name], classes)
    overloads: dict[str, list[inspect.Signature]] = {}
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef):
            decorators = {ast.unparse(decorator) for decorator in inner.decorator_list}
            signature = _signature(inner, drops_first="staticmethod" not in decorators)
            overloads.setdefault(inner.name, []).append(signature)
        elif isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            members[inner.target.id] = None
    return members | {name: Function(tuple(signatures)) for name, signatures in overloads.items()}


def _signature(node: ast.FunctionDef, drops_first: bool) -> inspect.Signature:
    kinds, arguments = inspect.Parameter, node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    plain = len(positional) - len(arguments.defaults)
    parameters = []
    for place, argument in enumerate(positional):
        kind = kinds.POSITIONAL_ONLY if place < len(arguments.posonlyargs) else kinds.POSITIONAL_OR_KEYWORD
        parameters.append(_parameter(argument, kind, place >= plain))
    if arguments.vararg:
        parameters.append(_parameter(arguments.vararg, kinds.VAR_POSITIONAL, False))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(_parameter(argument, kinds.KEYWORD_ONLY, default is not None))
    if arguments.kwarg:
        parameters.append(_parameter(arguments.kwarg, kinds.VAR_KEYWORD, False))
    return inspect.Signature(parameters[1:] if drops_first and positional else parameters)


def _parameter(argument: ast.arg, kind: "inspect._ParameterKind", has_default: bool) -> inspect.Parameter:
    annotation = ast.unparse(argument.annotation) if argument.annotation else inspect.Parameter.empty
    default = ... if has_default else inspect.Parameter.empty
    return inspect.Parameter(argument.arg, kind, default=default, annotation=annotation)


def _misfit(signature: inspect.Signature, args: tuple[object, ...], kwargs: dict[str, object]) -> str:
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        return f"{error} {signature}"
    for name, value in bound.arguments.items():
        parameter = signature.parameters[name]
        types = SIMPLE_TYPES.get(str(parameter.annotation))
        is_one = parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if is_one and types and not isinstance(value, types):
            return f"{name} is {parameter.annotation}, and was given {value!r}"
    return ""
