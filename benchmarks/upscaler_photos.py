"""The upscaler on photographs that it never saw, beside bicubic and Lanczos.

    python benchmarks/upscaler_photos.py FOLDER [--model MODEL.onnx] [--crops CROPS.png]

Every picture of the folder is read as scene-linear, clipped to 0…1, sRGB-encoded, cropped to a multiple of the scale
and reduced on the encoded signal by antialiased bicubic (a = −0.5), kept in 0…1. Each method enlarges that; PSNR and
SSIM are of RGB over the whole picture, borders included, against the original. Needs the `train` and `cpu` extras.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import OpenImageIO as oiio
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vfxgan.colour import encode
from vfxgan.images import Picture, read_picture, write_picture
from vfxgan.modelfile import packaged_models, read_model
from vfxgan.trainer.data.degraded import degrade_bicubic
from vfxgan.trainer.data.pictures import list_pictures, to_linear
from vfxgan.trainer.metrics import picture_metrics

Enlarge = Callable[[Tensor, tuple[int, int]], Tensor]

CROP_PX, ENLARGED = 96, 3
CORNERS = {"Desk": (120, 268), "Cannon": (36, 232), "Carrots": (68, 300)}  # top left of the crops; others: the middle


def original(path: Path, multiple: int) -> Tensor:
    """[1, 3, H, W] float32, sRGB-encoded, 0…1."""
    linear = to_linear(read_picture(path), 3, path)
    height, width = (side // multiple * multiple for side in linear.shape[:2])
    encoded = encode(np.clip(linear[:height, :width], 0, 1))
    return torch.from_numpy(encoded.transpose(2, 0, 1).copy())[None]


def bicubic(low: Tensor, size: tuple[int, int]) -> Tensor:
    """torch's, a = −0.75."""
    return F.interpolate(low, size, mode="bicubic", align_corners=False)


def bicubic_keys(low: Tensor, size: tuple[int, int]) -> Tensor:
    """a = −0.5, as MATLAB's and Pillow's."""
    return F.interpolate(low, size, mode="bicubic", antialias=True, align_corners=False)


def lanczos(low: Tensor, size: tuple[int, int]) -> Tensor:
    """OpenImageIO's lanczos3."""
    pixels = np.ascontiguousarray(low[0].permute(1, 2, 0).numpy())
    roi = oiio.ROI(0, size[1], 0, size[0], 0, 1, 0, 3)
    resized = oiio.ImageBufAlgo.resize(oiio.ImageBuf(pixels), "lanczos3", 0.0, roi)
    return torch.from_numpy(resized.get_pixels(oiio.FLOAT).transpose(2, 0, 1).copy())[None]


def model_of(path: Path) -> tuple[Enlarge, int]:
    """What enlarges by this file, and its scale."""
    model = read_model(path)
    session = onnxruntime.InferenceSession(model.read(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    print(f"{model.spec.name}, {model.size_bytes / 2**20:.2f} MiB, SHA-256 {model.sha256[:12]}")
    return lambda low, _: torch.from_numpy(session.run(None, {name: low.numpy()})[0]), model.spec.scale


def crop_row(name: str, pictures: list[Tensor]) -> NDArray[np.uint8]:
    """The same part of each picture side by side, its pixels enlarged as squares."""
    height, width = pictures[0].shape[-2:]
    top, left = CORNERS.get(name, ((height - CROP_PX) // 2, (width - CROP_PX) // 2))
    parts = [picture[0, :, top : top + CROP_PX, left : left + CROP_PX].clamp(0, 1) for picture in pictures]
    row = torch.cat(parts, 2).permute(1, 2, 0).mul(255).round().byte().numpy()
    return np.asarray(row.repeat(ENLARGED, 0).repeat(ENLARGED, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=packaged_models().get("upscaler"))
    parser.add_argument("--crops", type=Path, help="PNG of crops: bicubic, the model, original")
    arguments = parser.parse_args()
    upscale, scale = model_of(arguments.model)
    methods: dict[str, Enlarge] = {
        "bicubic a=-0.5": bicubic_keys,
        "bicubic a=-0.75": bicubic,
        "lanczos3": lanczos,
        "model": upscale,
    }
    print(f"{'picture':12s} " + " ".join(f"{name:>17s}" for name in methods) + "   over the best other")
    rows = []
    for path in list_pictures(arguments.folder):
        high = original(path, scale)
        low = degrade_bicubic(high, scale)
        size = (high.shape[-2], high.shape[-1])
        found = {name: enlarge(low, size) for name, enlarge in methods.items()}
        values = {name: picture_metrics(picture, high) for name, picture in found.items()}
        gain = values["model"]["psnr"] - max(v["psnr"] for name, v in values.items() if name != "model")
        cells = " ".join(f"{v['psnr']:8.2f} dB {v['ssim']:.4f}" for v in values.values())
        print(f"{path.stem:12s} {cells}   {gain:+.2f} dB")
        rows.append(crop_row(path.stem, [found["bicubic a=-0.75"], found["model"], high]))
    if arguments.crops:
        write_picture(arguments.crops, Picture(np.concatenate(rows), ("R", "G", "B")))


if __name__ == "__main__":
    main()
