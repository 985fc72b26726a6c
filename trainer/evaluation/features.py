"""FID and KID over the features of a network that the user gives as ONNX: no weights come with the package."""

import warnings
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.errors import MissingExtraError, ModelError, UsageError

ValueRange = Literal["0-255", "0-1", "-1-1", "imagenet"]
VALUE_RANGES: tuple[ValueRange, ...] = get_args(ValueRange)
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ERRORS_ONLY = 3
AT_ONCE = 16
KID_SUBSETS, KID_SUBSET_SIZE = 100, 1000  # Bińkowski et al. 2018, §4, use 1000 of their 50,000 at a time


class FeatureExtractor:
    """An ONNX network from pictures to one vector each.

    The file has one float32 input [N, 3, H, W], N free or 1, and its first output is [N, D]. Pictures are resized to a
    fixed H and W; where those are free, pictures go in as they are.

    Args:
        values: what the network expects black and white as: 0 … 255, 0 … 1, −1 … 1, or ImageNet's mean and deviation.
    Raises:
        UsageError: no such file. ModelError: not ONNX, or not of that shape. MissingExtraError: no ONNX Runtime.
    """

    def __init__(self, path: Path, values: ValueRange) -> None:
        if not path.is_file():
            raise UsageError(f"--features {path}: no such file; give an ONNX file, see docs/evaluation.md")
        self.path, self.values = path, values
        self._session = _open(path)
        self._name, shape = _checked_input(self._session, path)
        self._at_once = shape[0] if isinstance(shape[0], int) else AT_ONCE
        self.size: tuple[int, int] | None = None
        if isinstance(shape[2], int) and isinstance(shape[3], int):
            self.size = shape[2], shape[3]

    def __call__(self, pictures: Tensor) -> Tensor:
        """Features of pictures.

        Args:
            pictures: [N, 3, H, W] float32 in 0…1, as a monitor shows them.
        Returns:
            [N, D] float64.
        Raises:
            ModelError: the network fails on such pictures, or gives something else than numbers [N, D].
        """
        return torch.cat([self._run(part) for part in torch.split(pictures, self._at_once)])

    def _run(self, pictures: Tensor) -> Tensor:
        if self.size is not None and self.size != pictures.shape[-2:]:
            # antialiased: Parmar et al. 2022, arXiv:2104.11222, show how much FID depends on it
            pictures = F.interpolate(pictures, self.size, mode="bicubic", antialias=True).clamp(0, 1)
        try:
            found = self._session.run(None, {self._name: _in_range(pictures, self.values).numpy()})[0]
        except Exception as error:
            raise ModelError(
                f"--features {self.path}: fails on pictures {_shape(pictures.shape)} ({_one_line(error)})"
            ) from error
        features = torch.from_numpy(found).double()
        if features.ndim != 2 or len(features) != len(pictures):
            raise ModelError(f"--features {self.path}: gave {_shape(features.shape)}, needed is [N, D]")
        if not features.isfinite().all():
            raise ModelError(f"--features {self.path}: gave NaN or Inf; is --features-range right?")
        return features


class _Given(nn.Module):
    """Features that are there already, as torchmetrics wants its feature network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, features: Tensor) -> Tensor:
        return features


def feature_distances(fake: Tensor, real: Tensor, seed: int) -> dict[str, float]:
    """Fréchet and kernel distance of two sets of features.

    Args:
        fake, real: [N, D] float64, N at least 2. FID of few pictures is too high; KID is not, but scatters.
        seed: of KID's subsets.
    Returns:
        "fid"; "kid" and "kid_std", its mean and deviation over 100 subsets of half of the pictures, at most 1000.
    Source:
        Heusel et al. 2017, arXiv:1706.08500, eq. 6; Bińkowski et al. 2018, arXiv:1801.01401, §4; torchmetrics.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(KID_SUBSET_SIZE, max(2, len(fake) // 2))
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # that KID keeps its features in memory
        torch.manual_seed(seed)
        fid = FrechetInceptionDistance(_Given(fake.shape[1]))
        kid = KernelInceptionDistance(_Given(fake.shape[1]), subsets=KID_SUBSETS, subset_size=size)
        for metric in (fid, kid):
            metric.update(real, real=True)
            metric.update(fake, real=False)
        mean, deviation = kid.compute()
        return {"fid": float(fid.compute()), "kid": float(mean), "kid_std": float(deviation)}


def _open(path: Path) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnxruntime", "cpu", "--features") from error
    onnxruntime.set_default_logger_severity(ERRORS_ONLY)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"--features {path}: ONNX Runtime cannot load it ({_one_line(error)}); give .onnx") from error


def _checked_input(session: Any, path: Path) -> tuple[str, list[Any]]:
    """Name and shape of the input, once both ends are what they must be; free sides are names or None."""
    entries, outputs = session.get_inputs(), session.get_outputs()
    if len(entries) != 1 or entries[0].type != "tensor(float)":
        held = ", ".join(f"{entry.type} {_shape(entry.shape)}" for entry in entries)
        raise ModelError(f"--features {path}: needs one float32 input, has {held or 'none'}")
    shape = entries[0].shape
    if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise ModelError(f"--features {path}: its input is {_shape(shape)}, needed is [N, 3, height, width]")
    if isinstance(shape[0], int) and shape[0] != 1:
        raise ModelError(f"--features {path}: its batch is fixed at {shape[0]}; export it with 1 or a free one")
    if outputs[0].shape and len(outputs[0].shape) != 2:
        raise ModelError(f"--features {path}: its first output is {_shape(outputs[0].shape)}, needed is [N, D]")
    return entries[0].name, shape


def _in_range(pictures: Tensor, values: ValueRange) -> Tensor:
    if values == "0-255":
        return pictures * 255
    if values == "-1-1":
        return pictures * 2 - 1
    if values == "imagenet":
        mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        return (pictures - mean) / deviation
    return pictures


def _shape(shape: Any) -> str:
    return "[" + ", ".join(str(side) for side in shape) + "]"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
