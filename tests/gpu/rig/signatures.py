"""pybind11's signatures, read from the first lines of its docstrings, and calls held against them.

`set_flag(self: tensorrt.IBuilderConfig, flag: tensorrt.BuilderFlag) -> None`; overloads are such lines with numbers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BRACKETS = {"[": "]", "(": ")", "{": "}", "<": ">"}


@dataclass(frozen=True)
class Parameter:
    """Without a default it must be given."""

    name: str
    type: str
    has_default: bool


Signature = tuple[Parameter, ...]


def signatures_of(name: str, doc: str | None) -> list[Signature]:
    """One for each overload; none where the docstring has no signature."""
    lines = [line.strip() for line in (doc or "").splitlines()]
    starts = re.compile(rf"(\d+\. )?{re.escape(name)}\((self: .*)\) -> ")
    return [_parameters(match.group(2)) for line in lines if (match := starts.match(line))]


def _parameters(text: str) -> Signature:
    found = []
    for part in _split(text)[1:]:  # without self
        name, _, rest = part.partition(":")
        kind, equals, _ = rest.partition(" = ")
        found.append(Parameter(name.strip(), kind.strip(), bool(equals)))
    return tuple(found)


def _split(text: str) -> list[str]:
    """At commas outside of brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in BRACKETS) - (character in BRACKETS.values())
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def check_call(
    trt: Any, what: str, overloads: Sequence[Signature], args: Sequence[Any], named: Mapping[str, Any]
) -> None:
    """Raises TypeError, as pybind11 does, unless one of the overloads takes the call."""
    problems = [_problem(trt, parameters, args, named) for parameters in overloads]
    if all(problems):
        raise TypeError(f"{what}{tuple(args)}{dict(named) or ''}: {' / '.join(map(str, problems))}")


def _problem(trt: Any, parameters: Signature, args: Sequence[Any], named: Mapping[str, Any]) -> str | None:
    names = [parameter.name for parameter in parameters]
    if len(args) > len(parameters):
        return f"takes {names}"
    given = dict(zip(names, args, strict=False))
    if set(named) & set(given) or not set(named) <= set(names):
        return f"takes {names}, not {sorted(named)}"
    given |= named
    for parameter in parameters:
        if parameter.name not in given:
            if not parameter.has_default:
                return f"{parameter.name} is missing"
        elif not _fits(trt, parameter, given[parameter.name]):
            return f"{parameter.name} is {given[parameter.name]!r}, not {parameter.type}"
    return None


def _fits(trt: Any, parameter: Parameter, value: Any) -> bool:
    kind = re.split(r"[.:]", parameter.type)[-1]
    plain: dict[str, Any] = {
        "str": str,
        "int": int,
        "SupportsInt": int,
        "bool": bool,
        "buffer": (bytes, bytearray, memoryview),
        "Buffer": (bytes, bytearray, memoryview),
        "tuple": tuple,
        "list": list,
        "object": object,
    }
    if kind in plain:
        return isinstance(value, plain[kind]) or (value is None and parameter.has_default)
    if kind == "Dims":
        return isinstance(value, tuple | list) and all(isinstance(side, int) for side in value)
    return isinstance(value, getattr(trt, kind))  # an unknown type is an error of this file: AttributeError
