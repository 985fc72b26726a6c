"""Houdini's hook: one package file, which Houdini reads at every start.

https://www.sidefx.com/docs/houdini/ref/plugins.html
It is the package that lies beside the plug-in, with its place written out, and the command.
"""

import json
import os
import re
import sys
from pathlib import Path

from vfxgan.errors import TargetError, UsageError
from vfxgan.hooks import VARIABLE, Change, Place, existing, followed, read

NAME = "vfxgan.json"
PLUGIN = "VFXGAN_HOUDINI"  # the variable of the plug-in's folder
_KEYS, _VARIABLES = {"env", "hpath"}, {PLUGIN, VARIABLE, "PYTHONPATH"}  # all that we ever wrote
_PREFERENCES = re.compile(r"(houdini)?\d+\.\d+")  # Houdini's folder of preferences for one version


def install(into: Path | None, place: Place) -> list[Change]:
    """Write the package file. Raises TargetError: another's file is in the way; UsageError: several Houdinis."""
    folders = [_packages(existing(into))] if into else _default_folders()
    if len(folders) > 1:
        named = ", ".join(str(folder.parent) for folder in folders)
        raise UsageError(f"there are several Houdinis here ({named}); choose one with --into")
    path = followed(folders[0] / NAME)
    before, data = read(path), _package(place)
    _check_ours(path, before)
    said = "a new file" if before is None else "nothing to do, it stands there" if before == data else "corrected"
    return [Change(path, f"{path}: {said}, for {place.plugin}", before, data)]


def uninstall(into: Path | None) -> list[Change]:
    """Remove it wherever it is, or from the folder that was named."""
    folders = [_packages(existing(into))] if into else _default_folders()
    paths = [followed(folder / NAME) for folder in folders]
    found = [(path, read(path), folder) for path, folder in zip(paths, folders, strict=True)]
    for path, before, _ in found:
        _check_ours(path, before)
    there = [
        Change(path, f"{path}: removed", before, None, None if folder == into else folder)
        for path, before, folder in found
        if before is not None
    ]
    return there or [Change(paths[0], f"{paths[0]}: nothing to do, there is no package of vfxgan", None, None)]


def _default_folders() -> list[Path]:
    """Of each version of Houdini that this user has started."""
    named = os.environ.get("HOUDINI_USER_PREF_DIR")
    home = Path.home()
    if named:
        pattern = Path(named.replace("__HVER__", "*"))
        found = sorted(pattern.parent.glob(pattern.name))
    elif sys.platform == "darwin":
        found = sorted((home / "Library/Preferences/houdini").glob("*.*"))
    else:
        found = sorted((home / "Documents" if sys.platform == "win32" else home).glob("houdini*.*"))
    folders = [folder for folder in found if folder.is_dir() and (named or _PREFERENCES.fullmatch(folder.name))]
    if not folders:
        raise UsageError(
            "there is no Houdini of yours here: start it once, or name with --into its folder of preferences "
            "(houdini20.5), or one of $HOUDINI_PACKAGE_DIR"
        )
    return [folder / "packages" for folder in folders]


def _packages(folder: Path) -> Path:
    """Preferences have their packages in a folder inside; any other folder is taken for one of packages."""
    return folder / "packages" if _PREFERENCES.fullmatch(folder.name) else folder


def _package(place: Place) -> bytes:
    """The packaged file with its place written out. Raises TargetError: Houdini could not read the path."""
    for named in (place.plugin, place.command):
        if "$" in named:
            raise TargetError(f"{named}: Houdini takes $ for a variable; install vfxgan in a folder without one")
    package = json.loads(Path(place.plugin, "package", NAME).read_text(encoding="utf-8"))
    package["env"][0] = {PLUGIN: place.plugin}
    package["env"].append({VARIABLE: place.command})
    return (json.dumps(package, indent=4, ensure_ascii=False) + "\n").encode()


def _check_ours(path: Path, data: bytes | None) -> None:
    """Raises TargetError: `install` did not write it (as the packaged one), or not all of it."""
    if data is None:
        return
    try:
        package = json.loads(data)
        variables = {name for entry in package["env"] for name in entry}
    except (ValueError, TypeError, KeyError):
        package, variables = {}, set()
    if not {PLUGIN, VARIABLE} <= variables:
        raise TargetError(
            f"{path} was not written by vfxgan plugins install; it was left alone: move it away, or name another "
            "folder by --into"
        )
    theirs = sorted((set(package) - _KEYS) | (variables - _VARIABLES))
    if theirs:
        raise TargetError(
            f"{path} holds more than vfxgan wrote ({', '.join(theirs)}); it was left alone: move that to a package "
            "file of your own"
        )
