"""A recipe comes back as it was written, and a hostile header is simply none."""

import json
from dataclasses import replace
from typing import Any

import pytest

from vfxgan.recipe import RECIPE_KEY, Recipe, read_stamp, stamp_attributes

RECIPE = Recipe("ab" * 32, 7, {"format": "exr", "z_interval": 0.5}, {"runtime": "onnxruntime 1.31"})


@pytest.mark.parametrize(
    "source",
    [{"seed": 7}, {"seed": None, "frame": 1005}, {"seed": None, "plate": "ef" * 32},
     {"seed": None, "plate": "ef" * 32, "neighbours": "01" * 32}],
    ids=["seed", "walk", "plate", "stabilised"],
)  # fmt: skip
def test_a_recipe_comes_back(source: dict[str, Any]) -> None:
    recipe = replace(RECIPE, **source)
    stamp = read_stamp(stamp_attributes(recipe, "cd" * 32))
    assert stamp is not None
    assert stamp.recipe == recipe
    assert stamp.is_whole


@pytest.mark.parametrize(
    "source", [{}, {"seed": 1, "frame": 2}, {"neighbours": "ab"}, {"frame": "2"}, {"plate": "a", "neighbours": 1}]
)
def test_a_recipe_has_one_source(source: dict[str, Any]) -> None:
    fields = {"model": "a", "options": {}, "fingerprint": {}, "pixel_revision": 1, **source}
    assert read_stamp({RECIPE_KEY: json.dumps(fields)}) is None


def test_a_changed_recipe_does_not_fit_its_digest() -> None:
    header = stamp_attributes(RECIPE, "cd" * 32)
    header[RECIPE_KEY] = header[RECIPE_KEY].replace('"seed":7', '"seed":8')
    stamp = read_stamp(header)
    assert stamp is not None
    assert not stamp.is_whole


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "7", "[" * 100_000, "{}", '{"seed": 1}', "x" * (1 << 17),
        json.dumps({"model": 1, "seed": 1, "options": {}, "fingerprint": {}, "pixel_revision": 1}),
        json.dumps({"model": "a", "seed": "1", "options": {}, "fingerprint": {}, "pixel_revision": 1}),
        json.dumps({"model": "a", "seed": True, "options": {}, "fingerprint": {}, "pixel_revision": 1}),
        json.dumps({"model": "a", "seed": 1, "options": {"a": [1]}, "fingerprint": {}, "pixel_revision": 1}),
        json.dumps({"model": "a", "seed": 1, "options": [], "fingerprint": {}, "pixel_revision": 1}),
    ],
)  # fmt: skip
def test_a_header_that_is_not_ours_has_no_recipe(text: str) -> None:
    assert read_stamp({RECIPE_KEY: text}) is None
    assert read_stamp({RECIPE_KEY: b"bytes"}) is None
    assert read_stamp({}) is None
