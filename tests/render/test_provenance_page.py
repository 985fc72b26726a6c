"""docs/provenance.md: its commands run as they stand, and print what it shows."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("c2pa", reason="signing needs the extra sign")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the page makes its certificates with openssl")
def test_the_page_runs_from_an_authority_to_signed_frames(page: Callable[[str], Any], tmp_path: Path) -> None:
    provenance = page("provenance.md")
    printed = provenance.run(tmp_path)
    shown = [line.strip() for line in provenance.text.splitlines() if line.startswith("    5 frames are whole")]
    assert len(shown) == 2
    assert [line for line in printed.splitlines() if "are whole" in line] == shown
    assert sorted(path.name for path in (tmp_path / "shot010").glob("*.c2pa")) == [f"000{n}.c2pa" for n in range(5)]


def test_the_source_types_and_the_name_on_the_page_are_the_codes(page: Callable[[str], Any]) -> None:
    from vfxgan.synthetic import COMPOSITE, GENERATED, SOURCE_TYPE_KEY

    text = page("provenance.md").text
    assert GENERATED in text
    assert COMPOSITE.rpartition("/")[2] in text
    assert set(re.findall(r"Iptc4xmpExt:\w+", text)) == {SOURCE_TYPE_KEY}
