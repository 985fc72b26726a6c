"""Translators and upscalers: each output against its own target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vfxgan.errors import DataError, ModelError
from vfxgan.progress import progress
from vfxgan.spec import ImageInput
from vfxgan.trainer.data.degraded import degrade_bicubic
from vfxgan.trainer.data.matching import match_folders, split_halves
from vfxgan.trainer.evaluation.subject import Findings, Subject
from vfxgan.trainer.metrics import WINDOW_PX, picture_metrics

FIGURES = ("l1", "psnr", "ssim")


@dataclass(frozen=True)
class Case:
    """One picture to be made, all [1, C, H, W] float32 in 0…1 of the encoded signal.

    Attributes:
        source: what goes in.
        target: RGB, what should come out.
        baseline: RGB, the answer that costs nothing.
        lost_px: rows and columns cut off so that the model could take it.
    """

    name: str
    source: Tensor
    target: Tensor
    baseline: Tensor
    lost_px: tuple[int, int]


@dataclass(frozen=True)
class Work:
    """What cases are made of: names, and the files that each needs."""

    name: str
    files: tuple[Path, ...]


def evaluate_pictures(subject: Subject) -> Findings:
    """Every output against its target, one picture at a time, whole.

    Raises:
        UsageError: fewer pictures than asked for. DataError: a picture is too small or cut short, or has no partner.
        ModelError: the network gives NaN or Inf.
    """
    translates = subject.spec.kind == "translator"
    work = _pairs(subject) if translates else _singles(subject)
    count = subject.taken(len(work), "pairs" if translates else "pictures")
    chosen = sorted(np.random.default_rng(subject.request.seed).permutation(len(work))[:count].tolist())
    rows: list[dict[str, Any]] = []
    features: dict[str, list[Tensor]] = {"output": [], "baseline": [], "target": []}
    lost: list[tuple[int, int]] = []
    with progress(subject.request.style, "comparing", count) as bar:
        for case in _cases(subject, [work[index] for index in chosen]):
            output = _output(subject, case)
            rows.append(_row(case, output))
            lost.append(case.lost_px)
            if subject.extractor is not None:
                for name, picture in (("output", output), ("baseline", case.baseline), ("target", case.target)):
                    features[name].append(subject.extractor(subject.shown(picture)))
            bar.advance()
    findings = Findings(count, "the source as it is" if translates else "bicubic enlargement (a = −0.75)")
    findings.metrics = _means(rows, "") | subject.distances(features["output"], features["target"])
    findings.baseline = _means(rows, "baseline_") | subject.distances(features["baseline"], features["target"])
    findings.more = _more(subject, rows)
    cut = sum(rows_lost + columns_lost > 0 for rows_lost, columns_lost in lost)
    if cut:
        most = max(down for down, _ in lost), max(across for _, across in lost)
        findings.notes.append(
            f"{cut} of {count} pictures were cropped to what the model takes, by up to {most[0]} rows and {most[1]} "
            "columns"
        )
    return findings


def _row(case: Case, output: Tensor) -> dict[str, Any]:
    ours, baseline = picture_metrics(output[:, :3], case.target), picture_metrics(case.baseline, case.target)
    return {"picture": case.name} | ours | {f"baseline_{name}": value for name, value in baseline.items()}


def _means(rows: Sequence[dict[str, Any]], prefix: str) -> dict[str, Any]:
    return {name: sum(row[prefix + name] for row in rows) / len(rows) for name in FIGURES}


def _more(subject: Subject, rows: list[dict[str, Any]]) -> dict[str, Any]:
    gains = {row["picture"]: row["psnr"] - row["baseline_psnr"] for row in rows}
    least = min(gains, key=lambda name: gains[name])
    more: dict[str, Any] = {
        "gain": {
            "psnr": sum(gains.values()) / len(gains),
            "ssim": sum(row["ssim"] - row["baseline_ssim"] for row in rows) / len(rows),
            "least_psnr": {"picture": least, "psnr": gains[least]},
        }
    }
    if subject.spec.kind == "upscaler":
        more["degradation"] = f"1/{subject.spec.scale} by antialiased bicubic (a = −0.5), on the encoded signal"
    if subject.request.each:
        more["each"] = rows
    return more


def _output(subject: Subject, case: Case) -> Tensor:
    """[1, C, H, W] in 0…1 of the encoded signal, not clipped."""
    signed = subject.spec.value_range[0] < 0
    output = subject.unit(subject.network(case.source * 2 - 1 if signed else case.source).float())
    if output.shape[-2:] != case.target.shape[-2:]:
        raise ModelError(
            f"{subject.request.checkpoint}: gave {tuple(output.shape[-2:])} px for a target of "
            f"{tuple(case.target.shape[-2:])}; its spec does not fit its network"
        )
    if not output.isfinite().all():
        raise ModelError(f"{subject.request.checkpoint}: gives NaN or Inf for {case.name}; use an earlier checkpoint")
    return output


def _pairs(subject: Subject) -> list[Work]:
    request = subject.request
    files = [file for file in subject.files if file.header is not None]
    if request.target is None:
        pairs = split_halves(files, request.data)
    else:
        pairs, _ = match_folders(subject.files, subject.others, request.data, request.target)
    return [Work(pair.name, pair.files) for pair in pairs]


def _singles(subject: Subject) -> list[Work]:
    return [Work(file.path.name, (file.path,)) for file in subject.files if file.header is not None]


def _cases(subject: Subject, work: Sequence[Work]) -> Iterator[Case]:
    make = _pair_case if subject.spec.kind == "translator" else _upscaling_case
    for item in work:
        yield make(subject, item)


def _pair_case(subject: Subject, work: Work) -> Case:
    """Source and target as training has them, `--swap` included."""
    spec = subject.spec
    assert isinstance(spec.input, ImageInput)
    swap = bool(subject.checkpoint.options.get("swap", False))
    sides = [work.files[0], work.files[-1]]
    source, target = (
        _decoded(subject, path, channels)
        for path, channels in zip(sides[::-1] if swap else sides, (spec.input.channels, 3), strict=True)
    )
    if len(work.files) == 1:
        middle = source.shape[-1] // 2
        left, right = slice(None, middle), slice(middle, None)
        source, target = source[..., right if swap else left], target[..., left if swap else right]
    source, lost = _cropped(subject, work.name, source, spec.input.size_multiple)
    target, _ = _cropped(subject, work.name, target, spec.input.size_multiple)
    baseline = source.expand(-1, 3, -1, -1) if source.shape[1] == 1 else source[:, :3]
    return Case(work.name, source, target, baseline, lost)


def _upscaling_case(subject: Subject, work: Work) -> Case:
    spec = subject.spec
    assert isinstance(spec.input, ImageInput)
    whole = _decoded(subject, work.files[0], spec.input.channels)
    high, lost = _cropped(subject, work.name, whole, spec.scale * spec.input.size_multiple)
    low = degrade_bicubic(high, spec.scale)
    # a = −0.75: a little stronger in PSNR than the −0.5 of the papers, so nothing is won by the choice
    enlarged = F.interpolate(low[:, :3], high.shape[-2:], mode="bicubic", align_corners=False).clamp(0, 1)
    return Case(work.name, low, high[:, :3], enlarged, lost)


def _decoded(subject: Subject, path: Path, channels: int) -> Tensor:
    """[1, C, H, W] in 0…1 of the encoded signal."""
    if channels not in (1, 3, 4):
        raise ModelError(f"{subject.request.checkpoint}: takes {channels} channels; 1, 3 and 4 can be evaluated")
    return torch.from_numpy(subject.signal(path, channels))[None].float()


def _cropped(subject: Subject, name: str, picture: Tensor, multiple: int) -> tuple[Tensor, tuple[int, int]]:
    """The middle, of sides that the model can take; and what was cut off."""
    height, width = picture.shape[-2:]
    rows, columns = height - height % multiple, width - width % multiple
    if min(rows, columns) < WINDOW_PX:
        least = multiple * -(-WINDOW_PX // multiple)
        raise DataError(
            f"--data {subject.request.data}: {name} is {width}×{height}, but {subject.spec.name} needs {least} px "
            "a side at least; leave it out"
        )
    top, left = (height - rows) // 2, (width - columns) // 2
    return picture[..., top : top + rows, left : left + columns], (height - rows, width - columns)
