"""`verify`, `inspect` and `contact-sheet` on real frames."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.render.digits import draw_number
from vfxgan.render.sheet import lay_out


@pytest.fixture
def frames(cli: Any, tiny: Path, tmp_path: Path) -> Path:
    assert cli("render", tiny, "--seeds", "10-14", "--start-frame", "1", "--out", tmp_path / "o" / "####.exr").code == 0
    return tmp_path / "o"


def test_verify_passes_whole_frames_and_renders_a_sample_again(cli: Any, tiny: Path, frames: Path) -> None:
    for target in (frames, f"{frames}/####.exr", f"{frames}/%04d.exr", frames / "0001.exr"):
        assert cli("verify", target).code == 0
    result = cli("verify", frames, "--rerender", "2", "--model", tiny, "--seeds", "10-14")
    assert result.code == 0, result
    assert "5 frames are whole, 2 of them rendered again" in result.out


def test_verify_names_each_bad_frame(cli: Any, frames: Path) -> None:
    whole = (frames / "0002.exr").read_bytes()
    (frames / "0002.exr").write_bytes(whole[:-30])
    (frames / "0004.exr").write_bytes(b"")
    result = cli("verify", frames, "--seeds", "10-16", "--progress", "none")
    assert result.code == 1
    for part in ("0002.exr: cut short", "no frame of seed 15", "no frame of seed 16", "no frame of seed 13"):
        assert part in result.err


def test_verify_finds_a_frame_whose_recipe_was_edited(cli: Any, frames: Path) -> None:
    frame = frames / "0003.exr"
    frame.write_bytes(frame.read_bytes().replace(b'"seed":12', b'"seed":13'))
    assert "its recipe was changed" in cli("verify", frames).err


def test_verify_of_nothing_is_refused(cli: Any, tmp_path: Path) -> None:
    result = cli("verify", tmp_path / "nothing")
    assert result.code == 2
    assert "no frames there" in result.line


def test_inspect_shows_a_frames_recipe_and_range(cli: Any, frames: Path) -> None:
    facts = json.loads(cli("inspect", frames / "0001.exr", "--json").out)
    assert facts["recipe"]["seed"] == 10
    assert facts["digests"] == "match"
    pixels = read_picture(frames / "0001.exr").pixels
    assert facts["channels"]["A"]["max"] == pytest.approx(float(pixels[..., 3].max()), rel=1e-5)
    assert "recipe" in cli("inspect", frames / "0001.exr").out


def test_inspect_shows_where_a_plate_lies_and_what_it_names(cli: Any, tmp_path: Path) -> None:
    names = ("R", "G", "B", "left.R", "left.G", "left.B")
    facts = {"multiView": ("right", "left"), "smpte:TimeCode": (18356486, 0)}
    types = {"multiView": oiio.TypeDesc("string[2]"), "smpte:TimeCode": oiio.TypeTimeCode}
    picture = Picture(np.ones((6, 8, 6), np.float16), names, facts, types, (-2, 3), (0, 0, 12, 10))
    write_picture(tmp_path / "a.exr", picture)
    told = json.loads(cli("inspect", tmp_path / "a.exr", "--json").out)
    assert told["data_window"] == "8x6 at -2, 3"
    assert told["display_window"] == "12x10 at 0, 0"
    assert told["views"] == ["right", "left"]
    assert told["timecode"] == "01:18:19:06"
    assert told["colorspace"] == "none named"
    assert "display window           12x10 at 0, 0" in cli("inspect", tmp_path / "a.exr").out


def test_inspect_shows_a_models_spec(cli: Any, tiny: Path) -> None:
    facts = json.loads(cli("inspect", tiny, "--json").out)
    assert facts["spec"]["encoding"] == {"name": "extended-srgb", "peak": 16.0, "toe": 0.02, "extended": False}
    assert facts["opset"] == 17
    assert "channels out" in cli("inspect", tiny).out


def test_inspect_takes_the_name_of_a_packaged_model(cli: Any) -> None:
    from vfxgan.modelfile import packaged_models

    result = cli("inspect", "upscaler", "--json")
    assert result.code == 0, result
    assert json.loads(result.out)["model"] == str(packaged_models()["upscaler"])


def test_a_contact_sheet_says_itself_as_json_to_programs(cli: Any, frames: Path) -> None:
    (frames / "0003.exr").write_bytes(b"cut short")
    result = cli("contact-sheet", frames, "--to", "sheet.png", "--cell", "32", "--json")
    assert result.code == 0, result
    facts = json.loads(result.out)
    assert (facts["sheet"], facts["frames"]) == ("sheet.png", 4)
    assert facts["size"] == list(read_picture(Path("sheet.png")).pixels.shape[:2])
    assert ["0003.exr" in problem for problem in facts["problems"]] == [True]


def test_a_contact_sheet_has_each_frame_in_its_cell_and_its_seed_below(cli: Any, frames: Path, tmp_path: Path) -> None:
    result = cli("contact-sheet", frames, "--to", "sheet.png", "--columns", "2", "--cell", "32")
    assert result.code == 0, result
    sheet = read_picture(Path("sheet.png")).pixels
    layout = lay_out(5, 2, 32)
    assert sheet.shape == (*layout.size, 3)
    for place in range(5):
        light = read_picture(frames / f"000{place + 1}.exr").pixels[..., :3].astype(np.float64)
        light = np.clip(light, 0, 1)
        srgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        top, left = layout.corner(place)
        assert np.abs(sheet[top : top + 32, left : left + 32] - np.rint(srgb * 255)).max() <= 1
        label = draw_number(10 + place, layout.scale)
        below = sheet[top + 32 : top + layout.pitch[0] - 2, left : left + 32, 0] > 100
        rows, columns = np.nonzero(below)
        found = below[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        expected = label[:, label.any(0).argmax() : label.shape[1] - label.any(0)[::-1].argmax()]
        np.testing.assert_array_equal(found, expected)


def test_a_contact_sheet_of_png_and_of_acescg_shows_the_same_picture(cli: Any, tiny: Path, tmp_path: Path) -> None:
    sheets = []
    variants = {"a.exr": (), "b.exr": ("--colorspace", "ACEScg"), "c.exr": ("--colorspace", "ACEScct")}
    for name, options in variants.items():
        assert cli("render", tiny, "--seeds", "1", "--out", name, "--bit-depth", "float", *options).code == 0
        assert cli("contact-sheet", name, "--to", f"{name}.png", "--background", "checker").code == 0
        sheets.append(read_picture(Path(f"{name}.png")).pixels.astype(int))
    assert np.abs(sheets[1] - sheets[0]).max() <= 1
    assert np.abs(sheets[2] - sheets[0]).max() <= 2


def test_a_contact_sheet_replaces_only_a_contact_sheet(cli: Any, tiny: Path, frames: Path, tmp_path: Path) -> None:
    assert cli("contact-sheet", frames).code == 0
    assert (tmp_path / "o.png").is_file()
    assert cli("contact-sheet", frames).code == 0
    assert cli("render", tiny, "--seeds", "1", "--out", "work.png").code == 0
    before = Path("work.png").read_bytes()
    assert cli("contact-sheet", frames, "--to", "work.png").code == 2
    assert Path("work.png").read_bytes() == before


def test_a_broken_frame_leaves_an_empty_cell_and_a_warning(cli: Any, frames: Path) -> None:
    (frames / "0002.exr").write_bytes(b"")
    result = cli("contact-sheet", frames)
    assert result.code == 0
    assert "warning:" in result.err
    assert "4 frames" in result.out
