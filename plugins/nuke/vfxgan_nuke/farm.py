"""vfxgan without a window: for a farm's script, `nuke -t render_elements.py`, and for `nuke.execute` in a callback.

    import nuke
    from vfxgan_nuke import farm

    nuke.scriptOpen("/shots/sh010/comp_v003.nk")
    farm.generate("elements", seeds="0-99", out="/shots/sh010/fire.%04d.exr", start_frame=1001)

Both functions wait until the frames are there, print a line as each is finished, and raise where they are not.
"""

from __future__ import annotations

from pathlib import Path

from vfxgan_client import Progress, find_command
from vfxgan_nuke.errors import RenderFailed
from vfxgan_nuke.orders import Elements, Plates
from vfxgan_nuke.rendering import SOME_FRAMES_FAILED, Rendered, render
from vfxgan_nuke.sequences import standing_folder


def generate(
    model: str,
    *,
    seeds: str,
    out: str,
    start_frame: int | None = None,
    walk: str = "",
    colourspace: str | None = None,
    upscale: bool = False,
    bit_depth: str | None = None,
) -> Rendered:
    """Render elements from seeds; see `orders.Elements` for what each means.

    Raises:
        Refusal: bad usage that can be seen at once.
        RenderFailed: the command failed, or some frames did; the others are whole.
        ClientError: there is no vfxgan command, or it is too old.
    """
    order = Elements(model, _whole(out), seeds, start_frame, walk, colourspace, upscale, bit_depth)
    return _run(order)


def process(
    model: str,
    *,
    plates: str,
    out: str,
    frames: str = "",
    in_colourspace: str | None = None,
    keep_channels: bool = False,
    mix: float = 1.0,
) -> Rendered:
    """Send plates through an upscaler or a translator; see `orders.Plates` for what each means.

    Raises:
        As `generate`.
    """
    order = Plates(model, _whole(out), _whole(plates), frames, in_colourspace, keep_channels, mix)
    return _run(order)


def make_read(rendered: Rendered, name: str = "") -> object:
    """A Read node of the frames in the open script, as the panels make it; a `nuke.Node`.

    Args:
        name: of the node; "" for Nuke's own.
    """
    from vfxgan_nuke import read_node

    read = read_node.make_read(rendered)
    if name:
        read.setName(name)
    return read


def _whole(path: str) -> str:
    """A script on a farm is started in a folder that nobody chose."""
    return str(Path(path).absolute())


def _run(order: Elements | Plates) -> Rendered:
    """In the folder of the frames, from which the project file is looked for upward."""
    order.check()
    rendered = render(find_command(), order, str(standing_folder(order.out)), _Lines())
    for line in rendered.warnings:
        print(f"vfxgan: warning: {line}", flush=True)
    if rendered.failed:
        first = min(rendered.failed)
        raise RenderFailed(
            f"frame {first} failed ({rendered.failed[first]}), {len(rendered.failed)} in all; "
            f"the others are whole in {order.out}",
            SOME_FRAMES_FAILED,
        )
    return rendered


class _Lines:
    """In the words of Nuke's own renders, which farms read for their progress bars."""

    def tell(self, message: str) -> None:
        print(f"vfxgan: {message}", flush=True)

    def advance(self, progress: Progress, frame: int | None) -> None:
        print(f"Frame {frame} ({progress.done} of {progress.total})", flush=True)

    def is_cancelled(self) -> bool:
        return False
