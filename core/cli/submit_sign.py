"""`--sign` of a render that a farm is to run: what of it can be checked where it is submitted."""

from collections.abc import Callable
from pathlib import Path


def sign_notes(sign: "tuple[Path, Path] | None", there: Callable[[str], str]) -> tuple[str, ...]:
    """Check certificate and key, unless only the nodes can; what is to be said then.

    Args:
        there: a path as the nodes name it.
    Raises:
        UsageError: a file is not there, and the nodes know it by the same name; or as `read_credentials`.
    """
    from vfxgan.errors import MissingExtraError
    from vfxgan.render.certificates import read_credentials
    from vfxgan.render.elsewhere import whole

    if sign is None:
        return ()
    for file in sign:
        name = there(whole(str(file)))
        if not file.exists() and name != whole(str(file)):
            return (f"--sign: {file} is not there and was not checked; the nodes read {name}",)
    try:
        read_credentials(*sign)
    except MissingExtraError as error:
        return (f"certificate and key were not checked: {error}",)
    return ()
