"""The output convention: its tokens filled in."""

import re
from dataclasses import dataclass

from vfxgan.errors import UsageError
from vfxgan.project_keys import TOKENS, name_problem

VIEWS = "%V"  # what {view} becomes where each view has a file of its own
_TOKEN = re.compile(r"\{(" + "|".join(TOKENS) + r")\}")


class Missing(UsageError):
    """The convention needs a value that nobody gave."""


@dataclass(frozen=True)
class Values:
    """What the tokens stand for; None where nobody said.

    Attributes:
        version: a number, or `v003`; `next` and `latest` before they are looked up.
        model: any name; it is made safe.
    """

    shot: str | None
    version: int | str | None
    view: str
    model: str | None
    version_digits: int = 3

    def text(self, token: str) -> str:
        """One of them, fit for a path.

        Raises:
            Missing: nobody gave it.
            UsageError: it cannot be a part of a file's name.
        """
        if token == "version":
            return version_text(self.version, self.version_digits)
        value = getattr(self, token)
        if value is None:
            raise Missing(_ABSENT[token])
        if token == "model":
            return safe_name(value)
        if token == "view" and value == VIEWS:
            return VIEWS
        problem = name_problem(value)
        if problem:
            raise UsageError(f"--{token} {value!r} {problem}")
        return str(value)


_ABSENT = {
    "shot": "the output convention has {shot}: give --shot sh010, or shot = in [output] of vfxgan.toml",
    "model": "the output convention has {model}: name one with --model",
}


def fill(pattern: str, values: Values) -> str:
    """The pattern with its tokens replaced, each once: what a value holds is no token.

    Raises:
        UsageError: a value that the pattern needs is missing, or cannot be in a path.
    """
    return _TOKEN.sub(lambda found: values.text(found[1]), pattern)


def has(pattern: str, token: str) -> bool:
    """Whether the pattern has a token."""
    return f"{{{token}}}" in pattern


def version_text(version: int | str | None, digits: int) -> str:
    """`v003` of 3, "3" or "v3".

    Raises:
        UsageError: none, or no number of 1 … 99999999.
    """
    if version is None:
        raise Missing(
            "the output convention has {version}: give --version next for a new one, or the one to go on with: v003"
        )
    found = re.fullmatch(r"[vV]?([0-9]{1,8})", str(version))
    if found is None or not int(found[1]):
        raise UsageError(f"--version {str(version)!r} is no version; write v003, next or latest")
    return f"v{int(found[1]):0{digits}d}"


def safe_name(name: str) -> str:
    """A model's name as a part of a file's name: letters, digits, `-`, `_` and inner dots stay."""
    return re.sub(r"[^\w.-]+", "-", name[:80]).strip(".-") or "model"
