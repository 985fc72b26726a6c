"""Imports every module of the plug-ins under a host's Python, where stand the hosts' own modules: empty ones.

    python -I -S importer.py FOLDER …

Prints the names, a line each. What is called only later is not seen here; that is what the doubles are for.
"""

import importlib
import sys
import types
from pathlib import Path


class Empty(types.ModuleType):
    """A module that has any class."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def main(folders):
    sys.path[:0] = folders
    for name in ("nuke", "nukescripts", "hou", "pdg"):
        sys.modules[name] = Empty(name)
    for folder in map(Path, folders):
        for path in sorted(folder.glob("vfxgan_*/**/*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join(part for part in parts if part != "__init__")
            importlib.import_module(name)
            print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
