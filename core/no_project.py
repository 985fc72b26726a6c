"""Whether this command line leaves `vfxgan.toml` alone: a farm's tasks do, since all of it was said at submission."""

_ignored: list[bool] = [False]


def ignore_project(ignored: bool) -> None:
    """Of the command line that begins now."""
    _ignored[:] = [ignored]


def is_ignored() -> bool:
    """Nothing is looked for, in the working folder or by $VFXGAN_PROJECT."""
    return _ignored[0]
