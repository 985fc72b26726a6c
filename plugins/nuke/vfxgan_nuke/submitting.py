"""An order to the farm, through `vfxgan submit` and the farm of the project file."""

from __future__ import annotations

from collections.abc import Callable

from vfxgan_client import ClientError, Command, Withdrawn, answer
from vfxgan_nuke.errors import Refusal, RenderFailed
from vfxgan_nuke.orders import Elements, Plates
from vfxgan_nuke.sequences import standing_folder

TAKES_S = 300.0
CANCELLED = 130  # exit code


def submit(
    command: Command, order: Elements | Plates, farm: str, folder: str | None, is_cancelled: Callable[[], bool]
) -> list[str]:
    """Submit it; in a thread beside Nuke's.

    Args:
        farm: the engine, as `vfxgan submit --to` names it.
        folder: of the script, above which the project file lies; the job's files go into `farm` in it. None: that of
            the frames.
    Returns:
        Lines for the artist: the command's own, and where the frames will be.
    Raises:
        Refusal: it was not submitted.
        RenderFailed: `is_cancelled` said yes, and the farm may have it already.
    """
    where = folder or str(standing_folder(order.out))
    try:
        told = answer(command, ["submit", "--to", farm, *order.arguments()], where, TAKES_S, is_cancelled)
    except Withdrawn as withdrawn:
        raise RenderFailed(
            f"the submission was cancelled; look at the farm ({farm}), which may have the job already", CANCELLED
        ) from withdrawn
    except ClientError as error:  # nothing was submitted: the panel comes back
        raise Refusal(str(error)) from error
    return [f"to the farm ({farm}):", *told.splitlines(), f"its frames: {order.out}"]
