"""`--require-runtime`: a farm job runs with the fingerprint that it was meant for, or not at all."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import ImageError, UsageError
from vfxgan.images import read_header
from vfxgan.recipe import Plain, read_stamp
from vfxgan.render.runtimes.fingerprint import Fingerprint, fingerprint_id

OPTION = "--require-runtime"
SHORTEST_ID = 8


@dataclass(frozen=True)
class Requirement:
    """What a fingerprint must be.

    Attributes:
        text: as it was given.
        short_id: the beginning of its id; "" where not asked for.
        values: entries that it must have.
        whole: it must have no others.
    """

    text: str
    short_id: str = ""
    values: Mapping[str, Plain] | None = None
    whole: bool = False

    def check(self, found: Fingerprint) -> None:
        """Raises UsageError, which names what differs, if a fingerprint is another one."""
        difference = self._difference(found)
        if difference:
            raise UsageError(
                f"{OPTION} {self.text}: {difference} (the fingerprint here is {fingerprint_id(found)}, "
                "see --dry-run); nothing was rendered"
            )

    def _difference(self, found: Fingerprint) -> str:
        """What differs, in words; empty for nothing."""
        if self.short_id:
            same = fingerprint_id(found).startswith(self.short_id)
            here = ", ".join(f"{key} {value}" for key, value in found.items())
            return "" if same else f"differs from what is here, which is {here}"
        wanted = dict(self.values or {})
        keys = sorted({*wanted, *found}) if self.whole else list(wanted)
        unknown = [key for key in keys if key not in found] if not self.whole else []
        if unknown:
            return f"there is no {', '.join(unknown)} in the fingerprint here, only {', '.join(found)}"
        unlike = [key for key in keys if not _fits(key, wanted.get(key), found.get(key), exactly=self.whole)]
        values = ", ".join(f"{key} is {found.get(key)}, not {wanted.get(key)}" for key in unlike)
        return f"differs in {', '.join(unlike)}: {values}" if unlike else ""


def parse_requirement(text: str) -> Requirement:
    """Read what was asked for.

    Args:
        text: the beginning of a fingerprint's id (8 to 12 hexadecimal digits); `runtime=openvino,device="NVIDIA H200"`,
            of the runtime with or without its version; or `@FRAME.exr`, the fingerprint in that frame's recipe.
    Raises:
        UsageError: it is none of these, or the frame has no recipe.
    """
    if text.startswith("@"):
        return Requirement(text, values=_fingerprint_in(Path(text[1:])), whole=True)
    if "=" in text:
        return Requirement(text, values=_pairs(text))
    if re.fullmatch(rf"[0-9a-f]{{{SHORTEST_ID},12}}", text.lower()):
        return Requirement(text, short_id=text.lower())
    raise UsageError(
        f"{OPTION} {text!r}: give a fingerprint's id as --dry-run shows it, pairs such as "
        "runtime=openvino,instructions=avx2, or @FRAME.exr"
    )


def _fingerprint_in(frame: Path) -> Mapping[str, Plain]:
    try:
        stamp = read_stamp(read_header(frame))
    except ImageError as error:
        raise UsageError(f"{OPTION} @{frame}: {error}") from error
    if stamp is None:
        raise UsageError(f"{OPTION} @{frame}: that file has no recipe; name a frame that vfxgan rendered")
    return stamp.recipe.fingerprint


def _pairs(text: str) -> dict[str, Plain]:
    words = shlex.shlex(text, posix=True)
    words.whitespace, words.whitespace_split, words.commenters = ",", True, ""
    try:
        pairs = [word.partition("=") for word in words]
    except ValueError as error:
        raise UsageError(f"{OPTION} {text!r}: a quote is not closed") from error
    wrong = [key for key, equals, _ in pairs if not equals or not key.strip()]
    if wrong:
        raise UsageError(f"{OPTION} {text!r}: {wrong[0]!r} is no pair; write key=value,key=value")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _fits(key: str, wanted: Plain, found: Plain, *, exactly: bool) -> bool:
    if exactly:
        return wanted == found
    return str(found) == wanted or (key == "runtime" and str(found).partition(" ")[0] == wanted)
