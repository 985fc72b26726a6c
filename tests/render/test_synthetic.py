"""Every frame says in its own metadata that it is synthetic, in the terms of IPTC's photo metadata."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from vfxgan.images import OpenImage, Picture, read_header, read_picture, write_picture
from vfxgan.recipe import PIXEL_REVISION, read_stamp, stamp_attributes

LIST = "http://cv.iptc.org/newscodes/digitalsourcetype/"
KEY = "Iptc4xmpExt:DigitalSourceType"
GENERATED, COMPOSITE = f"{LIST}trainedAlgorithmicMedia", f"{LIST}compositeWithTrainedAlgorithmicMedia"
CAMERA = f"{LIST}digitalCapture"


def chunk(path: Path, kind: bytes) -> list[bytes]:
    """The bodies of a PNG's chunks of one kind, by the letter of the standard."""
    data, place, found = path.read_bytes(), 8, []
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == kind:
            found.append(data[place + 8 : place + 8 + size])
        place += 12 + size
    return found


def plate(path: Path, **attributes: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    write_picture(path, Picture(np.full((8, 8, 3), 0.25, np.float16), ("R", "G", "B"), attributes))
    return path


@pytest.mark.parametrize("extension", ["exr", "png"])
def test_a_generated_frame_says_that_a_trained_model_made_it(
    cli: Callable[..., Any], tiny: Path, extension: str
) -> None:
    assert cli("render", tiny, "--seeds", "7", "--out", f"a/####.{extension}").code == 0
    assert read_header(Path(f"a/0007.{extension}"))[KEY] == GENERATED
    assert "digital source type      trainedAlgorithmicMedia" in cli("inspect", f"a/0007.{extension}").out


def test_a_png_holds_it_as_an_xmp_packet_in_an_itxt_chunk(cli: Callable[..., Any], tiny: Path) -> None:
    cli("render", tiny, "--seeds", "7", "--out", "a/####.png")
    (packet,) = [body for body in chunk(Path("a/0007.png"), b"iTXt") if body.startswith(b"XML:com.adobe.xmp\0")]
    assert packet[len("XML:com.adobe.xmp\0") :].startswith(b"\0\0\0\0<?xpacket begin=")  # uncompressed
    assert f"<Iptc4xmpExt:DigitalSourceType>{GENERATED}</Iptc4xmpExt:DigitalSourceType>".encode() in packet
    assert not [body for body in chunk(Path("a/0007.png"), b"tEXt") if b"xmp" in body]


def test_another_library_reads_the_png_without_complaint(cli: Callable[..., Any], tiny: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is a second reader of PNG")
    cli("render", tiny, "--seeds", "7", "--out", "a/####.png")
    with image.open("a/0007.png") as opened:
        opened.verify()  # checksums too
        assert GENERATED in opened.info["XML:com.adobe.xmp"]


def test_an_exr_holds_it_as_a_string_and_as_an_xmp_packet(cli: Callable[..., Any], tiny: Path) -> None:
    cli("render", tiny, "--seeds", "7", "--out", "a/####.exr")
    header = read_header(Path("a/0007.exr"))
    assert re.search(r"DigitalSourceType>([^<]+)<", header["xmp"])[1] == header[KEY] == GENERATED  # type: ignore[index]


@pytest.mark.parametrize("said", [None, CAMERA, GENERATED, COMPOSITE])
@pytest.mark.parametrize("extension", ["exr", "png"])
def test_a_frame_of_a_plate_is_a_composite_whatever_the_plate_says(
    cli: Callable[..., Any], image_model: Callable[..., Path], said: str | None, extension: str
) -> None:
    attributes = {} if said is None else {KEY: said}
    plate(Path("p/0001.exr"), **attributes)
    model = image_model(Path("m.onnx"))
    assert cli("render", model, "--in", "p/####.exr", "--out", f"a/####.{extension}").code == 0
    assert read_header(Path(f"a/0001.{extension}"))[KEY] == COMPOSITE
    assert cli("verify", "a").code == 0


def test_a_plate_cannot_take_the_words_away_by_another_spelling(
    cli: Callable[..., Any], image_model: Callable[..., Path]
) -> None:
    plate(Path("p/0001.exr"), **{KEY.lower(): 5, "XMP": CAMERA, "scene": "12A"})
    done = cli("render", image_model(Path("m.onnx")), "--in", "p/####.exr", "--out", "a/####.exr")
    assert done.code == 0
    header = read_header(Path("a/0001.exr"))
    assert {name: value for name, value in header.items() if name.lower() == KEY.lower()} == {KEY: COMPOSITE}
    assert [name for name in header if name.lower() == "xmp"] == ["xmp"]
    assert header["scene"] == "12A"


def test_a_plates_own_xmp_packet_is_said_to_be_left_out(
    cli: Callable[..., Any], image_model: Callable[..., Path]
) -> None:
    plate(Path("p/0001.exr"), xmp="<x:xmpmeta>by a camera</x:xmpmeta>")
    done = cli("render", image_model(Path("m.onnx")), "--in", "p/####.exr", "--out", "a/####.exr")
    assert "the plates' XMP packet is not carried" in done.err
    again = cli("render", image_model(Path("n.onnx")), "--in", "a/####.exr", "--out", "b/####.exr")
    assert "XMP" not in again.err  # of a frame of ours nothing is lost


def two_views(path: Path) -> None:
    """A plate of two parts."""
    path.parent.mkdir()
    specs = []
    for view in ("left", "right"):
        spec = oiio.ImageSpec(8, 8, 3, "half")
        spec.attribute("oiio:subimagename", view)
        spec.attribute("view", view)
        specs.append(spec)
    out = oiio.ImageOutput.create("openexr")
    assert out.open(str(path), tuple(specs))
    assert out.write_image(np.zeros((8, 8, 3), np.float16))
    assert out.open(str(path), specs[1], "AppendSubimage")
    assert out.write_image(np.zeros((8, 8, 3), np.float16))
    out.close()


def test_every_part_of_a_multi_part_frame_says_it(cli: Callable[..., Any], image_model: Callable[..., Path]) -> None:
    two_views(Path("p/0001.exr"))
    assert cli("render", image_model(Path("m.onnx")), "--in", "p/####.exr", "--out", "a/####.exr").code == 0
    with OpenImage(Path("a/0001.exr")) as image:
        assert [part.attributes[KEY] for part in image.parts] == [COMPOSITE, COMPOSITE]


@pytest.mark.parametrize("extension", ["exr", "png"])
def test_a_frame_that_lost_the_words_is_not_what_was_rendered(
    cli: Callable[..., Any], tiny: Path, extension: str
) -> None:
    cli("render", tiny, "--seeds", "7", "--out", f"a/####.{extension}")
    path = Path(f"a/0007.{extension}")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"trainedAlgorithmicMedia", b"digitalCapture _________"[:23]))
    refused = cli("verify", path)
    assert refused.code == 1
    if extension == "exr":  # a PNG's chunk has a checksum, so that one is found to be damaged
        assert "does not say any more that it is synthetic" in refused.err
    assert "was broken" in cli("render", tiny, "--seeds", "7", "--out", f"a/####.{extension}").err
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", [KEY, "xmp"])
@pytest.mark.parametrize("place", [0, 1])
def test_words_that_were_edited_in_any_part_of_an_exr_are_found(
    cli: Callable[..., Any], image_model: Callable[..., Path], name: str, place: int
) -> None:
    two_views(Path("p/0001.exr"))
    again = ("render", image_model(Path("m.onnx")), "--in", "p/####.exr", "--out", "a/####.exr")
    assert cli(*again).code == 0
    path = Path("a/0001.exr")
    whole, word = path.read_bytes(), b"compositeWithTrainedAlgorithmicMedia"
    # In each header the attribute comes before the packet; the header of the second part follows that of the first.
    found = [match.start() for match in re.finditer(word, whole)]
    assert len(found) == 4
    at = found[2 * place + (name == "xmp")]
    path.write_bytes(whole[:at] + b"digitalCapture".ljust(len(word)) + whole[at + len(word) :])
    refused = cli("verify", path)
    assert refused.code == 1
    assert f"does not say any more that it is synthetic: {name} was changed" in refused.err
    assert "was broken" in cli(*again).err
    assert path.read_bytes() == whole


def test_a_frame_of_an_earlier_revision_is_whole_by_its_digests_and_counts_as_other_work(
    cli: Callable[..., Any], tiny: Path
) -> None:
    cli("render", tiny, "--seeds", "7", "--out", "a/####.exr")
    path = Path("a/0007.exr")
    picture = read_picture(path)
    stamp = read_stamp(picture.attributes)
    assert stamp is not None
    earlier = stamp_attributes(replace(stamp.recipe, pixel_revision=1), stamp.pixels)
    write_picture(path, Picture(picture.pixels, picture.channels, {"compression": "zips", **earlier}))
    assert cli("verify", "a").out.strip() == "1 frame is whole"
    refused = cli("render", tiny, "--seeds", "7", "--out", "a/####.exr")
    assert refused.code == 2
    assert f"pixel revision 1, not {PIXEL_REVISION}" in refused.line
    assert "use the version of vfxgan that made it" in cli("render", tiny, "--like", path, "--out", "b.exr").line


def test_sheets_and_differences_of_synthetic_frames_say_it_too(cli: Callable[..., Any], tiny: Path) -> None:
    for folder, interval in (("a", "0.5"), ("b", "0.4")):
        cli("render", tiny, "--seeds", "0-1", "--out", f"{folder}/####.exr", "--z-interval", interval)
    assert cli("contact-sheet", "a", "--to", "sheet.png").code == 0
    assert cli("compare", "a", "b", "--diff", "diff/####.png").code == 0
    assert cli("compare", "a", "b", "--diff", "diff/####.exr").code == 0
    cli("render", tiny, "--seeds", "0-1", "--out", "a/####.exr", "--z-interval", "0.5", "--preview", "preview.png")
    made = ("sheet.png", "preview.png", "diff/0000.png", "diff/0000.exr")
    assert [read_header(Path(name)).get(KEY) for name in made] == [COMPOSITE] * 4


def test_a_sheet_of_a_cameras_pictures_does_not_say_it(cli: Callable[..., Any]) -> None:
    plate(Path("p/0001.exr"))
    assert cli("contact-sheet", "p", "--to", "sheet.png").code == 0
    assert KEY not in read_header(Path("sheet.png"))


def test_a_film_says_it_in_its_description(cli: Callable[..., Any], tiny: Path) -> None:
    av = pytest.importorskip("av", reason="films need the extra review")
    assert cli("render", tiny, "--seeds", "0-1", "--out", "a/####.exr", "--preview", "a.mp4").code == 0
    with av.open("a.mp4") as film:
        assert COMPOSITE in film.metadata["description"]
