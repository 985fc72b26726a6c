"""What `vfxgan render` was asked for, from what typer parsed: for the render itself, and for a farm job."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vfxgan.render.options import OutputRequest
    from vfxgan.render.request import RenderRequest

# Of `OutputRequest`, those that are an option's value as it stands.
_AS_GIVEN = (
    "bit_depth",
    "compression",
    "colorspace",
    "ocio",
    "z_interval",
    "in_colorspace",
    "bad_pixels",
    "encoding",
    "layer",
    "part",
    "view",
    "mix",
    "regrain",
    "tile",
    "temporal",
    "walk",
    "keys",
    "interpolation",
)


def request_of(given: Mapping[str, Any]) -> "RenderRequest":
    """The options of `render`, by the names of its arguments.

    Raises:
        UsageError: two options that exclude each other.
    """
    from vfxgan.errors import UsageError
    from vfxgan.render.plan import Consent
    from vfxgan.render.request import RenderRequest

    model, model_option = given["model"], given["model_option"]
    if model is not None and model_option is not None and model != model_option:
        raise UsageError(f"MODEL {model!r} and --model {model_option!r} are two models; give one")
    if given["tile_exact"] and given["tile_anyway"]:
        raise UsageError("--tile-exact and --tile-anyway exclude each other; give one")
    return RenderRequest(
        out=given["out"],
        seeds=given["seeds"],
        plates=given["plates"],
        frames=given["frames"],
        skip_missing=given["skip_missing"],
        handles=given["handles"],
        model=model_option if model is None else model,
        like=given["like"],
        runtime=given["runtime"],
        engine=given["engine"],
        devices=given["as_device"] or given["devices"],
        required=given["require_runtime"],
        start_frame=given["start_frame"],
        threads=given["threads"],
        batch=given["batch"],
        sign=given["sign"],
        output=_output(given),
        consent=Consent(given["overwrite"], given["mix_runtimes"]),
    )


def _output(given: Mapping[str, Any]) -> "OutputRequest":
    from vfxgan.render.options import OutputRequest

    return OutputRequest(
        **{name: given[name] for name in _AS_GIVEN},
        keep_channels="all" if given["keep_channels"] else None,
        tile_mode="exact" if given["tile_exact"] else "anyway" if given["tile_anyway"] else None,
        upscale=tuple(given["upscale"] or ()),
        ease="in-out" if given["ease"] else None,
        loop="closed" if given["loop"] else None,
    )
