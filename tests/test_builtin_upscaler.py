"""The upscaler that ships in the package: what it says of itself, and that it is better than a resize."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vfxgan.colour import encode
from vfxgan.export.onnxruntime_cpu import CpuSession
from vfxgan.modelfile import find_model, packaged_models, read_model
from vfxgan.trainer.data.degraded import degrade_bicubic
from vfxgan.trainer.leaves import leaves
from vfxgan.trainer.metrics import picture_metrics


@pytest.fixture(scope="module")
def model():
    return read_model(packaged_models()["upscaler"])


def test_it_is_small_free_and_says_where_it_comes_from(model):
    assert model.size_bytes <= 4 << 20
    spec = model.spec
    assert (spec.name, spec.kind, spec.scale, spec.channels_out) == ("upscaler", "upscaler", 2, 3)
    assert (spec.value_range, spec.encoding.peak) == ((0.0, 1.0), 1.0)
    assert spec.provenance.licence == "Apache-2.0"
    assert spec.provenance.iterations >= 1000
    assert len(spec.provenance.data_digest) == 64
    assert spec.parity.max_abs_error <= 2e-5


def test_beside_it_elements_stays_the_model_that_renders_by_default(cli, model):
    assert find_model(None).stem == "elements"
    listed = {entry["name"]: entry for entry in json.loads(cli("models", "--json").out)}
    assert listed["elements"]["default"]
    assert not listed["upscaler"]["default"]
    assert listed["upscaler"]["sha256"] == model.sha256
    assert "upscaler         upscaler   any size   RGB" in cli("models").out


def test_it_is_no_generator_and_says_so(cli, tmp_path):
    told = cli("render", "upscaler", "--seeds", "0-1", "--out", tmp_path / "####.exr")
    assert told.code == 2
    assert "model 'upscaler' makes pictures of pictures (upscaler): --seeds is for generators" in told.line


def test_it_is_a_decibel_better_than_bicubic_on_pictures_it_never_saw(model):
    for index in range(4):
        encoded = encode(np.clip(leaves(77, index, 128), 0, 1)).transpose(2, 0, 1)[None]
        high = torch.from_numpy(np.ascontiguousarray(encoded))
        low = degrade_bicubic(high, 2)
        (ours,) = CpuSession(model.read()).run(low.numpy())
        bicubic = F.interpolate(low, scale_factor=2, mode="bicubic", align_corners=False)
        gain = picture_metrics(torch.from_numpy(ours), high)["psnr"] - picture_metrics(bicubic, high)["psnr"]
        assert gain > 1.0


@pytest.mark.parametrize("grey", [0.0, 0.18, 0.5, 1.0])
def test_a_flat_picture_stays_flat(model, grey):
    flat = np.full((1, 3, 24, 24), grey, np.float32)
    (ours,) = CpuSession(model.read()).run(flat)
    assert np.abs(ours - grey).max() < 0.02


@pytest.mark.parametrize("edge", [24, 25])
def test_an_edge_rings_less_than_bicubic_makes_it(model, edge):
    high = torch.full((1, 3, 48, 48), 0.2)
    high[..., edge:] = 0.8
    low = degrade_bicubic(high, 2)
    (ours,) = CpuSession(model.read()).run(low.numpy())
    bicubic = F.interpolate(low, scale_factor=2, mode="bicubic", align_corners=False)
    assert _overshoot(torch.from_numpy(ours)) < _overshoot(bicubic)
    assert _overshoot(torch.from_numpy(ours)) < 0.04


def _overshoot(picture: torch.Tensor) -> float:
    inside = picture[..., 8:-8, 8:-8]
    return max(float(inside.max()) - 0.8, 0.2 - float(inside.min()))
