"""Image files: `picture` (what they decode to), `image_reading`, `image_digests` and `image_writing` in one place."""

from vfxgan.image_digests import file_pixel_digest, pixel_digest
from vfxgan.image_reading import (
    ChannelChoice,
    Layout,
    OpenImage,
    Part,
    choose_colour,
    read_channels,
    read_header,
    read_layout,
    read_picture,
)
from vfxgan.image_writing import (
    EXR_COMPRESSIONS,
    FIXED_DATE,
    LOSSY_COMPRESSIONS,
    check_compression,
    decoded_digest,
    write_picture,
)
from vfxgan.picture import (
    FORMAT_OF_EXTENSION,
    MAX_CHANNELS,
    MAX_IMAGE_MIB,
    MAX_SIDE_PX,
    PLATE_FORMATS,
    Picture,
    Pixels,
    Window,
    one_line,
    use_threads,
)

__all__ = [
    "EXR_COMPRESSIONS",
    "FIXED_DATE",
    "FORMAT_OF_EXTENSION",
    "LOSSY_COMPRESSIONS",
    "MAX_CHANNELS",
    "MAX_IMAGE_MIB",
    "MAX_SIDE_PX",
    "PLATE_FORMATS",
    "ChannelChoice",
    "Layout",
    "OpenImage",
    "Part",
    "Picture",
    "Pixels",
    "Window",
    "check_compression",
    "choose_colour",
    "decoded_digest",
    "file_pixel_digest",
    "one_line",
    "pixel_digest",
    "read_channels",
    "read_header",
    "read_layout",
    "read_picture",
    "use_threads",
    "write_picture",
]
