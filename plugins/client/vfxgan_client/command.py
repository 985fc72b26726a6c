"""Finds the vfxgan command, and refuses one that this client does not understand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vfxgan_client.environment import clean_environment
from vfxgan_client.errors import ClientError, NotFound, WrongVersion
from vfxgan_client.processes import quiet_start

VARIABLE = "VFXGAN_COMMAND"
INSTALLED = "VFXGAN_INSTALLED_COMMAND"  # set by the hook that `vfxgan plugins install` wrote
MINIMUM = (0, 1, 0)  # the oldest whose lines and options the plug-ins understand
SAYS_VERSION_WITHIN_S = 60.0  # a first start from a cold network drive
INSTALL = "install it (pip install vfxgan) and its hook (vfxgan plugins install), or name it in $VFXGAN_COMMAND"


@dataclass(frozen=True)
class Command:
    """The vfxgan command that was found. `program`: absolute path; `version`: as it says it."""

    program: str
    version: str


def find_command(setting: str | None = None, environment: Mapping[str, str] | None = None) -> Command:
    """Find `vfxgan`: the setting, else $VFXGAN_COMMAND, else the one that the plug-in's hook names, else PATH.

    Args:
        setting: path of the program, for a script of your own; None or empty, as the plug-ins have it: not set.
        environment: None: this process's.
    Raises:
        NotFound: there is none, or what was named is no program.
        WrongVersion: it is older than this client understands, or not vfxgan.
    """
    variables = dict(os.environ) if environment is None else dict(environment)
    named = [(setting, "the setting"), *((variables.get(name), f"${name}") for name in (VARIABLE, INSTALLED))]
    program = next((path for path in (_named(*each) for each in named) if path), None) or _on_path(variables)
    if program.lower().endswith((".bat", ".cmd")):  # Windows gives those to its shell, arguments and all
        raise NotFound(f"{program} is a batch file, which a shell would run; name vfxgan.exe itself")
    return Command(program, _checked_version(program, variables))


def _named(name: str | None, where: str) -> str | None:
    if name is None or not name.strip():
        return None
    try:
        path = Path(name.strip()).expanduser().absolute()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long; a user's home that is not known
        raise NotFound(f"{where} names {name.strip()[:80]} as the vfxgan command ({error}); correct it") from error
    if not exists:
        raise NotFound(f"{where} names {path} as the vfxgan command, and there is no such file; correct it")
    if path.is_dir():
        raise NotFound(f"{where} names the folder {path}; name the vfxgan program in it")
    if not os.access(path, os.X_OK):
        raise NotFound(f"{where} names {path}, which is no program that may be run; correct it")
    return str(path)


def _on_path(variables: Mapping[str, str]) -> str:
    found = shutil.which("vfxgan", path=variables.get("PATH", os.defpath))
    if found is None:
        raise NotFound(f"there is no vfxgan command on PATH; {INSTALL}")
    return str(Path(found).absolute())


def _checked_version(program: str, variables: Mapping[str, str]) -> str:
    said = _version_line(program, variables)
    match = re.fullmatch(r"vfxgan (\d+)\.(\d+)(?:\.(\d+))?\S*", said)
    if match is None:
        raise WrongVersion(f"{program} --version says {said[:80]!r}, which is not vfxgan; {INSTALL}")
    version = said.split()[1]
    if tuple(int(number or 0) for number in match.groups()) < MINIMUM:
        least = ".".join(map(str, MINIMUM))
        raise WrongVersion(
            f"{program} is vfxgan {version}, and this plug-in needs {least} or newer; "
            "upgrade it, or install the plug-in from that vfxgan (vfxgan plugins install)"
        )
    return version


def _version_line(program: str, variables: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environment(variables),
            timeout=SAYS_VERSION_WITHIN_S,
            check=False,
            **quiet_start(),
        )
    except subprocess.TimeoutExpired as error:
        raise ClientError(
            f"{program} --version said nothing for {SAYS_VERSION_WITHIN_S:.0f} s; try it by hand"
        ) from error
    except (OSError, ValueError) as error:
        raise NotFound(f"{program} cannot be started ({error}); correct its path or install vfxgan again") from error
    out, err = (text.decode("utf-8", "replace").strip() for text in (done.stdout, done.stderr))
    if done.returncode:
        last = err.splitlines()[-1] if err else f"exit code {done.returncode}"
        raise ClientError(f"{program} --version failed ({last}); {INSTALL}")
    return out.splitlines()[-1].strip() if out else ""
