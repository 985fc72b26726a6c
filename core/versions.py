"""Versions on disk, through the output convention: the latest one, and the next one, which is claimed."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vfxgan.convention import Values, fill, has, version_text
from vfxgan.errors import TargetError, UsageError, VfxganError
from vfxgan.project import Project
from vfxgan.version_claim import Claim, claim_folder

NEXT, LATEST = "next", "latest"
MAX_VERSION = 99_999_999
_PIECES = re.compile(r"\{(?:shot|version|view|model)\}|#+|@+|%\d*d|\$F\d*")
_TRIES = 1000


@dataclass(frozen=True)
class Target:
    """The output convention, filled in.

    Attributes:
        out: pattern of the frames, whole.
        version: `v003`; None where the convention has none.
        claimed: the version's folder, where it was made here for nobody else to take.
        note: what may be a mistake, for people; or "".
    """

    out: str
    shot: str | None
    version: str | None
    claimed: Claim | None = None
    note: str = ""


def choose_target(
    project: Project,
    shot: str | None = None,
    version: str | None = None,
    view: str | None = None,
    model: str | None = None,
    *,
    claim: bool = False,
) -> Target:
    """Where frames go, or are, by the project's convention.

    Args:
        version: `v003`, `next` or `latest`.
        view, model: as `Project.target`.
        claim: make the folder of the next version, where it has one, so that whoever asks later gets another.
    Raises:
        UsageError: no convention; a value that it has no token for, or a missing one; no version for `latest`.
        TargetError: the version's folder cannot be made.
    """
    pattern = project.convention()
    for token, value in (("shot", shot), ("version", version)):
        if value is not None and not has(pattern, token):
            raise UsageError(f"--{token} {value!r}: {project.line('output.pattern')}: the pattern has no {{{token}}}")
    marks = set("#@%$") & set(str(project.root))
    if marks:
        raise UsageError(
            f"{project.root}: has {min(marks)!r} in its name, which is padding in a pattern; give --out from the "
            "working folder, or another output.root"
        )
    values, claimed = project.values(shot, version, view, model), None
    if version in (NEXT, LATEST):
        fill(pattern, replace(values, version=1))  # what is wrong with another value is said before a folder is made
    note = _spelled_otherwise(project, values)
    if version == LATEST:
        values = replace(values, version=_latest(project, values, note))
    elif version == NEXT:
        number, claimed = _next(project, values, claim=claim)
        values = replace(values, version=number)
    named = version_text(values.version, values.version_digits) if has(pattern, "version") else None
    return Target(str(project.root / fill(pattern, values)), values.shot, named, claimed, note)


@contextmanager
def given_back(target: Target | None) -> Iterator[None]:
    """A claimed version that nothing was written to, because of an error inside, is free again.

    Of one that something was written to, the error says how to go on: the same command would take the next.
    """
    try:
        yield
    except BaseException as error:
        if target is not None and target.claimed is not None:
            target.claimed.give_back()
            if isinstance(error, VfxganError) and target.claimed.folder.exists():
                error.args = (f"{error}; go on with --version {target.version}, not next",)
        raise


def _spelled_otherwise(project: Project, values: Values) -> str:
    """Of a shot without a folder, the one on disk that differs from it by case alone: SH010 beside sh010."""
    words = project.convention().split("/")[:-1]
    place = next((place for place, word in enumerate(words) if has(word, "shot")), None)
    if place is None or any(has(word, token) for word in words[: place + 1] for token in ("version", "view")):
        return ""
    folder = project.root / fill("/".join(words[: place + 1]), values)
    if os.path.exists(folder):  # noqa: PTH110 - Path's raises where a folder above may not be looked into
        return ""
    try:
        twins = sorted(entry for entry in _entries(folder.parent) if entry.name.lower() == folder.name.lower())
    except TargetError:  # frames can go to a folder that cannot be listed, and this is a hint alone
        return ""
    return f"shot {values.shot!r} has no folder, and {twins[0]} differs from it by case alone" if twins else ""


def _latest(project: Project, values: Values, note: str) -> int:
    """The highest version that holds a frame, of any view or model: a claimed one is empty until its render starts."""
    has_folder = has_version_folder(project.convention())
    # v12 beside v003 is a version by another convention: its frames are not where v012's would be.
    own = [
        found
        for found in _versions(project, values)
        if found.text == version_text(found.number, values.version_digits) and (found.path.is_dir() or not has_folder)
    ]
    own.sort(key=lambda found: found.number, reverse=True)
    number = next((found.number for found in own if _holds_frames(project, values, found)), None)
    if number is None:
        where = project.root / fill(_before(project.convention()), values)
        lacks = "none with frames" if own else "none"
        remedy = note or "render one with --version next"
        raise UsageError(f"--version latest: there is {lacks} yet in {where}; {remedy}")
    return number


def _holds_frames(project: Project, values: Values, found: "_Version") -> bool:
    words = project.convention().split("/")
    folders = [found.path]
    for word in words[words.index(_word(project.convention())) + 1 :]:
        wanted = _expression(word, values, version=found.text)
        folders = [entry for folder in folders for entry in _entries(folder) if wanted.fullmatch(entry.name)]
    return bool(folders)


def _next(project: Project, values: Values, *, claim: bool) -> tuple[int, Claim | None]:
    pattern = project.convention()
    word, number = _word(pattern), 0
    for _ in range(_TRIES):  # a folder on a server may be listed as it was a moment ago: never the same number again
        number = max([number, *(found.number for found in _versions(project, values))]) + 1
        if number > MAX_VERSION:
            raise UsageError(f"--version next: there is a version {number - 1}; name one yourself: --version v001")
        if not claim or not has_version_folder(pattern):
            return number, None
        chosen = replace(values, version=number)
        folder = project.root / fill(_before(pattern), chosen) / fill(word, chosen)
        try:
            return number, claim_folder(folder)
        except FileExistsError:
            continue  # somebody was faster: look again
        except FileNotFoundError:  # somebody gave back the folder above, which was theirs
            number -= 1
        except OSError as error:
            raise TargetError(f"{folder}: cannot be made ({error.strerror}); check output.root and rights") from error
    raise TargetError(f"{folder}: cannot be made, though it is not there; check the disk")


def has_version_folder(pattern: str) -> bool:
    """Whether a version has a folder, not file names alone."""
    return has(pattern.rpartition("/")[0], "version")


def _word(pattern: str) -> str:
    """The folder or file name of the pattern that a version has of its own."""
    return next(word for word in pattern.split("/") if has(word, "version"))


def _before(pattern: str) -> str:
    """What stands before it."""
    words = pattern.split("/")
    before = "/".join(words[: words.index(_word(pattern))])
    return before or ("/" if pattern.startswith("/") else "")


@dataclass(frozen=True)
class _Version:
    """One on disk; text: as it is written there."""

    path: Path
    text: str
    number: int


def _versions(project: Project, values: Values) -> list[_Version]:
    """Every version on disk; more than once where several files are of it."""
    pattern = project.convention()
    words = _before(pattern).split("/")
    plain = list(itertools.takewhile(lambda word: not has(word, "view"), words))
    folders = [project.root / fill("/".join(plain), values)]
    for word in words[len(plain) :]:
        wanted = _expression(word, values)
        folders = [entry for folder in folders for entry in _entries(folder) if wanted.fullmatch(entry.name)]
    wanted = _expression(_word(pattern), values)
    return [
        _Version(entry, f"v{found['version']}", int(found["version"]))
        for folder in folders
        for entry in _entries(folder)
        if (found := wanted.fullmatch(entry.name))
    ]


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise TargetError(f"{folder}: cannot be looked into ({error.strerror}); check its permissions") from error


def _expression(word: str, values: Values, version: str | None = None) -> re.Pattern[str]:
    """What a name on disk is to be; version: that it is to have, with any model then."""
    pieces, end, seen = [], 0, False
    for piece in _PIECES.finditer(word):
        pieces.append(re.escape(word[end : piece.start()]))
        mark, end = piece.group(), piece.end()
        if mark == "{version}" and version:
            pieces.append(version)
        elif mark == "{version}":
            pieces.append("v(?P=version)" if seen else "v(?P<version>[0-9]{1,8})")
            seen = True
        elif mark == "{view}" or (mark == "{model}" and version):
            pieces.append(".+")
        else:
            pieces.append(re.escape(values.text(mark[1:-1])) if mark[0] == "{" else "-?[0-9]+")
    # A disk that does not tell v003 from V003 must not be asked for both.
    return re.compile("".join([*pieces, re.escape(word[end:])]), re.IGNORECASE | re.DOTALL)
