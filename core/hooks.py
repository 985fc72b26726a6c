"""The smallest possible hook by which a host finds the plug-in: what is common to Nuke and Houdini.

A hook names two places: the plug-in's folder in this installation, and the vfxgan command that stands beside it, since
an artist's PATH seldom has that. docs/decisions/0014-hosts.md
"""

import contextlib
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from vfxgan.errors import TargetError, UsageError
from vfxgan.temporaries import temporary_beside

VARIABLE = "VFXGAN_INSTALLED_COMMAND"  # the client's choice where neither a setting nor $VFXGAN_COMMAND names one


@dataclass(frozen=True)
class Place:
    """What a hook points to. Absolute paths, with forward slashes on every system."""

    plugin: str
    command: str


@dataclass(frozen=True)
class Change:
    """What is to be done to one file.

    Attributes:
        said: one line for the user, of what was or would be done.
        data: its new content; None: it is removed. The same as before: nothing is done.
        folder: removed after the file where nothing else is in it: one that `install` makes where it is missing.
    """

    path: Path
    said: str
    before: bytes | None
    data: bytes | None
    folder: Path | None = None

    @property
    def is_none(self) -> bool:
        return self.data == self.before

    def make(self) -> None:
        """Do it: the file is whole at any time. Raises TargetError where the folder does not let it."""
        if self.is_none:
            return
        try:
            if self.data is None:
                self.path.unlink()
                _remove_if_empty(self.folder)
            else:
                _replace(self.path, self.data)
        except OSError as error:
            raise TargetError(
                f"{self.path} cannot be written ({error.strerror}); choose another folder with --into"
            ) from error


def _remove_if_empty(folder: Path | None) -> None:
    if folder is not None:
        with contextlib.suppress(OSError):  # it holds other things, or is a link to a folder
            folder.rmdir()


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    with temporary_beside(path) as temporary:
        temporary.write_bytes(data)
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)


def place_of(host: str) -> Place:
    """The plug-in's folder in this installation, and its command.

    Raises:
        UsageError: the command that runs is none that a host could start.
    """
    folder = Path(str(files("vfxgan.plugins"))) / host
    return Place(folder.absolute().as_posix(), _command().as_posix())


def _command() -> Path:
    name = "vfxgan.exe" if sys.platform == "win32" else "vfxgan"
    called = shutil.which(sys.argv[0]) or sys.argv[0]
    for path in (Path(called), Path(sysconfig.get_path("scripts"), name)):
        if path.name == name and os.access(path, os.X_OK):
            return path.absolute()  # a link to it, as pipx makes, is what stays where it is
    raise UsageError(
        f"there is no {name} beside this Python, for a host to start; install vfxgan with pip, and run that command"
    )


def read(path: Path) -> bytes | None:
    """The file's bytes; None where there is none. Raises TargetError where it cannot be read as text."""
    try:
        data = path.read_bytes()
        data.decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TargetError(f"{path} cannot be read ({error.strerror}); choose another folder with --into") from error
    except UnicodeDecodeError as error:
        raise TargetError(f"{path} is no UTF-8 text (byte {error.start}); it was left alone") from error
    return data


def followed(path: Path) -> Path:
    """The file that a link stands for: it is changed where it is, and the link stays."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise TargetError(f"{path} is a link that leads nowhere ({error}); correct it") from error


def existing(folder: Path) -> Path:
    """Check a folder that was named: none is made of a name that may be mistyped. Raises TargetError."""
    if folder.is_dir():
        return folder
    raise TargetError(f"{folder} is no folder; check --into")
