"""The perceptual loss, and where its weights come from."""

import hashlib
import os
import secrets
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.digests import file_sha256
from vfxgan.errors import ModelError
from vfxgan.progress import say
from vfxgan.trainer.networks.checkpoint import load_tensors
from vfxgan.trainer.networks.vgg19 import WIDTHS, Vgg19Features

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"  # torchvision's; the name ends in the hash's start
MAX_MIB = 1024  # the file has 548
TIMEOUT_S = 60.0
CHUNK = 1 << 20
REMEDY = "give torchvision's file with --vgg PATH, or train with --perceptual none"


class PerceptualLoss(nn.Module):
    """Mean absolute difference of two pictures' VGG-19 features at conv5_4, before the rectifier.

    Source:
        Johnson et al. 2016, arXiv:1603.08155; Ledig et al. 2017 (SRGAN), arXiv:1609.04802, §2.2.1; the layer, and L1 in
        place of the squared difference, as in ESRGAN (Wang et al. 2018, arXiv:1809.00219, §3.3).
    """

    def __init__(self, features: Vgg19Features) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def forward(self, picture: Tensor, target: Tensor) -> Tensor:
        """[N, 3, H, W] sRGB in 0…1 each, H and W at least 16; the gradient reaches `picture` alone."""
        return F.l1_loss(self.features(picture), self.features(target.detach()).detach())


def load_perceptual(path: Path | None, url: str = URL, widths: tuple[int, ...] = WIDTHS) -> PerceptualLoss:
    """The loss with published weights.

    Args:
        path: a file with torchvision's names (`features.0.weight` …); None: the cache, filled from `url` if need be.
        url: its file's name ends in `-` and the first digits of its SHA-256, which must fit.
    Raises:
        ModelError: no such file, not these weights, no way to download them, or they came damaged.
    """
    source = path or _cached(url)
    weights = load_tensors(source)
    features = Vgg19Features(widths)
    wanted = features.state_dict()
    missing = next((name for name in wanted if name not in weights), None)
    if missing is not None:
        raise ModelError(f"{source}: no VGG-19 of torchvision, {missing} is missing; {REMEDY}")
    try:
        features.load_state_dict({name: weights[name] for name in wanted})
    except RuntimeError as error:
        raise ModelError(f"{source}: no VGG-19 of torchvision, its shapes differ; {REMEDY}") from error
    return PerceptualLoss(features)


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/vfxgan`, by default `~/.cache/vfxgan`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vfxgan"


def _cached(url: str) -> Path:
    name = url.rsplit("/", 1)[-1]
    target, wanted = cache_folder() / name, Path(name).stem.rsplit("-", 1)[-1]
    if target.is_file():
        found = file_sha256(target)
        if not found.startswith(wanted):
            raise ModelError(f"{target}: damaged, its SHA-256 is {found[:8]}…, not {wanted}…; delete it, or {REMEDY}")
        return target
    temporary = target.with_name(f".{name}.{secrets.token_hex(8)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        say(f"downloading VGG-19's weights, once: {url} to {target}")
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as source, temporary.open("xb") as file:
            found = _copied(source, file)
        if not found.startswith(wanted):
            raise ModelError(
                f"{url}: came damaged or changed, its SHA-256 is {found[:8]}…, not {wanted}…; try again, or {REMEDY}"
            )
        temporary.replace(target)
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ModelError(f"VGG-19's weights cannot be had from {url} ({reason}); {REMEDY}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _copied(source: BinaryIO, file: BinaryIO) -> str:
    """Copy to the end; the SHA-256 of what came. A server that stops early shows in it."""
    digest, left = hashlib.sha256(), MAX_MIB << 20
    while chunk := source.read(CHUNK):
        left -= len(chunk)
        if left < 0:
            raise ValueError(f"more than {MAX_MIB} MiB")
        digest.update(chunk)
        file.write(chunk)
    return digest.hexdigest()
