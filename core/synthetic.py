"""What says in a file's own metadata that its picture is synthetic, in the terms of photo metadata.

IPTC's property *Digital Source Type*, which search engines, picture agencies and C2PA read, is a URI of IPTC's list.
PNG has it in an XMP packet, EXR twice: as a string attribute, which compositors show among a Read's metadata, and in a
packet in the attribute `xmp`, where darktable and KDE's programs keep theirs: there is no standard for XMP in EXR.
Source: IPTC Photo Metadata Standard 2023.1 and its guidance for synthetic media; ISO 16684-1 (XMP).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from vfxgan.png_chunks import ROOM_FOR_ITXT, XMP_KEYWORD

SOURCE_TYPE_KEY = "Iptc4xmpExt:DigitalSourceType"
XMP_ATTRIBUTE = "xmp"  # of an EXR
NAMES = frozenset(name.lower() for name in (SOURCE_TYPE_KEY, XMP_ATTRIBUTE, XMP_KEYWORD))
_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = f"{_VOCABULARY}trainedAlgorithmicMedia"
COMPOSITE = f"{_VOCABULARY}compositeWithTrainedAlgorithmicMedia"
_SYNTHETIC = (GENERATED, COMPOSITE, f"{_VOCABULARY}compositeSynthetic")

# No blanks and no date in it: the same packet, to the byte, in every frame.
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    "<Iptc4xmpExt:DigitalSourceType>{}</Iptc4xmpExt:DigitalSourceType></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="r"?>'
)


def label(source_type: str, extension: str) -> dict[str, str]:
    """The attributes that say so.

    Args:
        source_type: `GENERATED`, or `COMPOSITE` where a camera's or another picture is in it.
        extension: .exr or .png.
    """
    packet = _PACKET.format(source_type)
    if extension.lower() == ".png":
        return {XMP_KEYWORD: packet + ROOM_FOR_ITXT}
    return {SOURCE_TYPE_KEY: source_type, XMP_ATTRIBUTE: packet}


def source_type_in(header: Mapping[str, Any]) -> str | None:
    """The URI in a header, of either kind of file; None where there is none."""
    value = header.get(SOURCE_TYPE_KEY)
    return value if isinstance(value, str) and value else None


def changed_label(headers: Iterable[Mapping[str, Any]], source_type: str, extension: str) -> str:
    """Which attribute does not say any more what `label` wrote, in any part of a file; "" for none.

    Args:
        extension: of the file, .exr or .png; of a PNG, what its packet says is compared: readers do not give it itself.
    """
    wanted = {SOURCE_TYPE_KEY: source_type} if extension.lower() == ".png" else label(source_type, extension)
    return next((name for header in headers for name, value in wanted.items() if header.get(name) != value), "")


def has_packet_of_others(header: Mapping[str, Any]) -> bool:
    """Whether an EXR holds XMP that is none of ours."""
    return header.get(XMP_ATTRIBUTE) not in (None, _PACKET.format(GENERATED), _PACKET.format(COMPOSITE))


def is_synthetic(header: Mapping[str, Any]) -> bool:
    """Whether it says so: wholly or in part made by a trained model."""
    return source_type_in(header) in _SYNTHETIC
