"""An example of `vfxgan.toml` with every key, for `vfxgan project --init` and the documentation."""

from pathlib import Path

from vfxgan.errors import TargetError
from vfxgan.project_file import SETTINGS_FILE
from vfxgan.project_keys import KEYS, Key

ABOUT = """\
# Settings of vfxgan for this folder and those below it: vfxgan project shows them, vfxgan doctor whether they hold.
# An option wins over the environment, that over this file. Paths start from this file's folder.
"""
ROWS = """\
# One folder as each system names it, once for each folder: paths from anywhere are found here, and for the farm.
[[paths]]
linux = "/mnt/show"
windows = 'P:\\show'
macos = "/Volumes/show"
"""
TOKENS = "# {shot} {version} {view} {model} are filled in. vfxgan render --shot sh010 --version next\n"


def example(*, active: bool) -> str:
    """The file's text.

    Args:
        active: with the keys set; otherwise each is a comment, so that nothing changes yet.
    """
    parts = [ABOUT + _table("", active), _table("output", active), ROWS if active else _commented(ROWS)]
    parts += [_table("farm", active), _table("farm.extra", active)]
    return "\n".join(parts)


def write_example(folder: Path) -> Path:
    """Write the file, with all of it commented out.

    Raises:
        TargetError: there is one, or it cannot be written.
    """
    path = folder / SETTINGS_FILE
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(example(active=False))
    except FileExistsError as error:
        raise TargetError(f"{path} is there already, and stays as it is; vfxgan project shows it") from error
    except OSError as error:
        raise TargetError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    return path


def _table(name: str, active: bool) -> str:
    keys = [key for key in KEYS if key.name.rpartition(".")[0] == name]
    head = f"[{name}]\n" if name else ""
    return (TOKENS if name == "output" else "") + head + "".join(_line(key, active) for key in keys)


def _line(key: Key, active: bool) -> str:
    setting = f"{key.name.rpartition('.')[2]} = {key.example}"
    return f"{'' if active else '# '}{setting:34s} # {key.about.replace('`', '')}\n"


def _commented(text: str) -> str:
    return "".join(line if line.startswith("#") else f"# {line}" for line in text.splitlines(keepends=True))
