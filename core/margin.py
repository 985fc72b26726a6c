"""The repeated edge around a picture on its way through an image network: one rule for renders and files for DCCs."""

from vfxgan.spec import ImageInput, ModelSpec

# Where export has not measured how far the network sees; convolutions that pad with zeros darken the border otherwise.
UNMEASURED_PX = 16


def margin_px(spec: ModelSpec) -> int:
    """How far a picture's edges are repeated on each side: the overlap that tiles need.

    In whole steps of what the network takes, so that it halves or unshuffles the same pixels with and without.
    """
    assert isinstance(spec.input, ImageInput)
    multiple = spec.input.size_multiple
    if spec.tiling.overlap_px is not None:
        return -(-spec.tiling.overlap_px // multiple) * multiple
    return UNMEASURED_PX if multiple == 1 else 0
