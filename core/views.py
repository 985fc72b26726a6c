"""`%V` (a view's name) and `%v` (its first letter) in paths, as Nuke has them: one file for each view."""

import re
from pathlib import Path

from vfxgan.errors import UsageError

NAME, LETTER = "%V", "%v"
_TOKENS = re.compile(r"%V|%v|#+|@+|%0?\d*d|\$F\d*")
_PATTERNS = {NAME: r"(?P<name>[A-Za-z0-9_-]+)", LETTER: r"(?P<letter>[A-Za-z0-9])"}


def has_views(text: str) -> bool:
    """Whether a pattern stands for several views."""
    return NAME in text or LETTER in text


def of_view(text: str, view: str) -> str:
    """The pattern of one view."""
    return text.replace(NAME, view).replace(LETTER, view[:1])


def check_views(source: str, target: str) -> bool:
    """Whether both patterns are of several views.

    Raises:
        UsageError: only one of them is, or the names that the target needs are not in the source.
    """
    if has_views(source) != has_views(target):
        has, lacks = ("--in", "--out") if has_views(source) else ("--out", "--in")
        text = source if has_views(source) else target
        raise UsageError(
            f"{has} {text!r} has %V (one file for each view), and {lacks} has not; give it to both or none"
        )
    if NAME in target and NAME not in source:
        raise UsageError(
            f"--out {target!r} has %V, and --in {source!r} only the views' first letters, %v; give both %v"
        )
    return has_views(source)


def views_on_disk(text: str) -> tuple[str, ...]:
    """The views that a pattern finds, by name (or letter, where it has only %v), in alphabetical order."""
    found: list[tuple[Path, dict[str, str]]] = [(Path(Path(text).anchor), {})]
    for word in Path(text).parts[1 if Path(text).is_absolute() else 0 :]:
        found = [step for path, named in found for step in _steps(path, word, named)]
    return tuple(sorted({named.get("name") or named["letter"] for _, named in found}))


def _steps(path: Path, word: str, named: dict[str, str]) -> list[tuple[Path, dict[str, str]]]:
    if not _TOKENS.search(word):
        return [(path / word, named)] if (path / word).exists() else []
    if not path.is_dir():
        return []
    pattern, steps = _expression(word), []
    for entry in sorted(path.iterdir()):
        match = pattern.fullmatch(entry.name)
        if match and not entry.name.startswith("."):
            both = named | {key: value for key, value in match.groupdict().items() if value}
            if _agree(both, named):
                steps.append((entry, both))
    return steps


def _expression(word: str) -> re.Pattern[str]:
    pieces, end, seen = [], 0, set()
    for token in _TOKENS.finditer(word):
        pieces.append(re.escape(word[end : token.start()]))
        mark, end = token.group(), token.end()
        if mark not in _PATTERNS:
            pieces.append(r"-?\d+")
        else:  # named once, and then the same again
            pieces.append(f"(?P={'name' if mark == NAME else 'letter'})" if mark in seen else _PATTERNS[mark])
            seen.add(mark)
    return re.compile("".join([*pieces, re.escape(word[end:])]))


def _agree(both: dict[str, str], before: dict[str, str]) -> bool:
    """One view all along a path, and its letter is its own."""
    if any(both[key] != value for key, value in before.items()):
        return False
    return "name" not in both or "letter" not in both or both["name"][0] == both["letter"]
