"""The environment that the vfxgan command is started with: the host's, without what is meant for the host itself.

A variable of the host's launcher that the command needs all the same is named in `VFXGAN_KEEP_ENV`, separated by
commas: `LD_LIBRARY_PATH` keeps it; `LD_LIBRARY_PATH=STUDIO_LD_LIBRARY_PATH` gives it the value of the other, where a
launcher saved the user's own.
"""

from __future__ import annotations

import ntpath
import os
import sys
from collections.abc import Mapping

KEEP = "VFXGAN_KEEP_ENV"
STOP_WITH_STDIN = "VFXGAN_STOP_WITH_STDIN"

# By the first letters of the name, and why each is dropped.
DROPPED = (
    "PYTHON",  # the host's own Python: its modules, its folder, its start-up script, its flags
    "__PYVENV_LAUNCHER__",  # which Python a macOS framework build believes to be
    "LD_",  # the host's libraries: an older libstdc++, another OpenImageIO, an allocator that is preloaded
    "DYLD_",  # the same on macOS
    "QT_",  # plug-ins of the host's Qt
    "QML",
    "OIIO_LIBRARY_PATH",  # OpenImageIO's plug-ins, of the host's version
    STOP_WITH_STDIN,  # of whoever started the host; a run has its own
)


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for the vfxgan command.

    Everything else is kept, as what the studio or the farm meant: OCIO, PATH, CUDA_VISIBLE_DEVICES, VFXGAN_…, proxies,
    licences. docs/decisions/0014-hosts.md says why of each.
    """
    cleaned = {name: value for name, value in environment.items() if not _is_dropped(name)}
    cleaned.update(_kept(environment))
    if sys.platform == "win32":  # where PATH finds libraries as well as programs
        cleaned = {name: _own_path(value) if name.upper() == "PATH" else value for name, value in cleaned.items()}
    cleaned["PYTHONUTF8"] = "1"  # of paths and of the lines that are read here, whatever the host's locale
    return cleaned


def _is_dropped(name: str) -> bool:
    return name.upper().startswith(DROPPED)


def _kept(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {}
    for word in environment.get(KEEP, "").split(","):
        name, _, saved = (part.strip() for part in word.partition("="))
        if (saved or name) in environment:
            kept[name] = environment[saved or name]
    return kept


def _own_path(path: str) -> str:
    """PATH without the host's own folders: their libraries are for the host's Python."""
    host = ntpath.normcase(ntpath.dirname(sys.executable))
    folders = [folder for folder in path.split(";") if folder]
    return ";".join(
        folder
        for folder in folders
        if not (ntpath.normcase(ntpath.normpath(folder)) + "\\").startswith(host.rstrip("\\") + "\\")
    )


def run_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """For a run that is to end when this process does: the command watches its stdin, whose other end is ours."""
    return {**clean_environment(environment), STOP_WITH_STDIN: "1"}


def host_environment() -> dict[str, str]:
    """Of this process."""
    return dict(os.environ)
