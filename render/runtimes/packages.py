"""Which packages are installed, without importing one."""

from importlib import metadata


def installed(distribution: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
