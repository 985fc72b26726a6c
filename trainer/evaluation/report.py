"""`vfxgan evaluate`: a checkpoint against pictures it was not trained on, as one report of plain values."""

import hashlib
from typing import Any

import torch
from torch import nn

from vfxgan.errors import ModelError, UsageError
from vfxgan.progress import say
from vfxgan.spec import ModelSpec
from vfxgan.trainer.data.pictures import list_pictures
from vfxgan.trainer.data.survey import check_corrupt, digest_of, listed, survey
from vfxgan.trainer.evaluation.features import FeatureExtractor
from vfxgan.trainer.evaluation.generator import evaluate_generator
from vfxgan.trainer.evaluation.pictures import evaluate_pictures
from vfxgan.trainer.evaluation.subject import Findings, Request, Subject
from vfxgan.trainer.networks import build_generator
from vfxgan.trainer.networks.checkpoint import Checkpoint, load_checkpoint

DIGITS = 5  # significant ones in the report


def evaluate(request: Request) -> dict[str, Any]:
    """Compare; warnings go to stderr as they arise, and into the report.

    Raises:
        DataError: the pictures cannot be used. ModelError: the checkpoint or the feature network cannot.
        UsageError: too few pictures, or options that the kind of model does not take.
        MissingExtraError: features without ONNX Runtime.
    """
    paths = list_pictures(request.data)
    checkpoint = load_checkpoint(request.checkpoint)
    _check_options(request, checkpoint.spec)
    extractor = FeatureExtractor(request.features, request.features_range) if request.features else None
    network = _filled(checkpoint, request)
    targets = list_pictures(request.target, "--target") if request.target else []
    files, others = survey(paths, request.style), survey(targets, request.style) if targets else []
    troubles = [file.trouble for file in (*files, *others) if file.header is None]
    check_corrupt(troubles, len(files) + len(others), str(request.data))
    subject = Subject(request, checkpoint, network, files, others, extractor)
    with torch.no_grad():
        findings = (evaluate_generator if checkpoint.spec.kind == "generator" else evaluate_pictures)(subject)
    findings.notes += [f"skipped: {trouble}" for trouble in troubles] + _counted(subject, findings.count)
    return _report(subject, findings)


def _check_options(request: Request, spec: ModelSpec) -> None:
    paired = request.target is not None or request.side_by_side
    if spec.kind == "translator" and (request.target is not None) == request.side_by_side:
        raise UsageError(
            f"{request.checkpoint}: a translator needs --target FOLDER, or --side-by-side for pictures that hold both"
        )
    if spec.kind != "translator" and paired:
        raise UsageError(f"{request.checkpoint}: {spec.kind}s take no --target and no --side-by-side; translators do")
    if spec.kind == "generator" and request.each:
        raise UsageError("--each: figures of single pictures need a target; a generator has none")


def _filled(checkpoint: Checkpoint, request: Request) -> nn.Module:
    network = build_generator(checkpoint.spec)
    try:
        network.load_state_dict(checkpoint.average)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{request.checkpoint}: its weights do not fit its spec ({reason}); the file is damaged"
        ) from error
    return network.eval()


def _counted(subject: Subject, count: int) -> list[str]:
    notes = []
    if subject.bad:
        names = listed(sorted(subject.bad))
        notes.append(f"{len(subject.bad)} pictures hold NaN or Inf pixels, made 0: {names}")
    if subject.clipped:
        peak = subject.spec.encoding.peak
        notes.append(f"{len(subject.clipped)} pictures exceed the model's peak of {peak:g} and are clipped there")
    if subject.extractor is not None:
        notes.append(
            f"FID of {count} pictures is too high by an amount that hangs on their number; compare only equals"
        )
    return notes


def _report(subject: Subject, findings: Findings) -> dict[str, Any]:
    request, spec = subject.request, subject.spec
    digest = digest_of([*subject.files, *subject.others])
    same = digest == spec.provenance.data_digest
    if same:
        findings.warnings.append(
            f"--data {request.data} is what the model was trained on; its figures say little, give held-out pictures"
        )
    for warning in findings.warnings:
        say(f"warning: {warning}")
    data = {"folder": request.data.resolve().name, "digest": digest, "pictures": len(subject.files)}
    if request.target is not None:
        data["target"] = request.target.resolve().name
    report: dict[str, Any] = {
        "model": {
            "file": request.checkpoint.name,
            "name": spec.name,
            "kind": spec.kind,
            "architecture": spec.architecture,
            "iteration": subject.checkpoint.iteration,
        },
        "data": data | {"same_as_training": same},
        "count": findings.count,
        "seed": request.seed,
        "encoding": {"name": spec.encoding.name, "peak": spec.encoding.peak},
        "metrics": findings.metrics,
        "baseline": {"is": findings.baseline_is} | findings.baseline,
    }
    if subject.extractor is not None:
        path = subject.extractor.path
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        report["features"] = {"file": path.name, "sha256": checksum, "range": request.features_range}
    report |= findings.more | {"notes": findings.notes, "warnings": findings.warnings}
    rounded: dict[str, Any] = _rounded(report)
    return rounded


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value
