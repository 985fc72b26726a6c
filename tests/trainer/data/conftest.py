"""Small real pictures of every kind, written through OpenImageIO, and a store to decode them into."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from vfxgan.trainer.data.store import Store

PLATES = Path(__file__).resolve().parents[3].parent / "shared" / "plates"
TYPES = {"float16": "half", "float32": "float", "uint8": "uint8", "uint16": "uint16"}
NAMES = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}


@pytest.fixture
def plates() -> Path:
    """The real plates, where they lie beside the project."""
    if not PLATES.is_dir():
        pytest.skip(f"the real plates are not at {PLATES}")
    return PLATES


@pytest.fixture
def save() -> Callable[..., Path]:
    """Write [H, W, C] pixels in their own type; the format follows the extension.

    `names` are the channels', `display` is (x, y, width, height) of the display window, `origin` (x, y) of the data
    window; further keywords are attributes, with `__` for a colon.
    """

    def call(
        path: Path, pixels: Any, names: Any = None, display: Any = None, origin: Any = (0, 0), **more: Any
    ) -> Path:
        height, width, count = pixels.shape
        spec = oiio.ImageSpec(width, height, count, oiio.TypeDesc(TYPES[pixels.dtype.name]))
        spec.channelnames = names or NAMES[count]
        if "A" in spec.channelnames:
            spec.alpha_channel = spec.channelnames.index("A")
        spec.x, spec.y = origin
        if display is not None:
            spec.full_x, spec.full_y, spec.full_width, spec.full_height = display
        for name, value in more.items():
            spec.attribute(name.replace("__", ":"), value)
        path.parent.mkdir(parents=True, exist_ok=True)
        target = oiio.ImageOutput.create(str(path))
        assert target.open(str(path), spec), target.geterror()
        assert target.write_image(np.ascontiguousarray(pixels)), target.geterror()
        assert target.close()
        return path

    return call


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Store]:
    """A store in a folder of its own; keywords replace its fields."""

    def make(**fields: Any) -> Store:
        known = {"folder": tmp_path / "cache", "limit_gib": 1.0, "bad_pixels": "zero", "seed": 3, "style": "none"}
        return Store(**{**known, **fields})

    return make


@pytest.fixture
def noise() -> Callable[..., Any]:
    """[H, W, C] float16 of light in 0…1, the same for the same number."""

    def draw(height: int, width: int, channels: int = 3, number: int = 0) -> Any:
        return np.random.default_rng(number).random((height, width, channels)).astype(np.float16)

    return draw
