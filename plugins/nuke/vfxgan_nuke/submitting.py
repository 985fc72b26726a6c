"""An order to the farm, through `vfxgan submit` and the farm of the project file."""

from __future__ import annotations

from vfxgan_client import Command, ask
from vfxgan_nuke.orders import Elements, Plates

TAKES_S = 300.0


def submit(command: Command, order: Elements | Plates, farm: str, folder: str | None) -> list[str]:
    """Submit it; in a thread beside Nuke's.

    Args:
        farm: the engine, as `vfxgan submit --to` names it.
        folder: of the script, above which the project file lies.
    Returns:
        Lines for the artist: which job it is, and where its frames will be.
    """
    facts = ask(command, ["submit", "--to", farm, "--json", *order.arguments()], folder, TAKES_S)
    return [f"submitted to {farm}: {facts['job']}", f"frames: {order.out}"]
