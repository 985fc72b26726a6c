"""What an engine is: the key that names it, the sidecar that says so beside it, and what it would need here.

An engine is a cache of an ONNX file for one TensorRT and one GPU. Its key holds everything it was made from, so that
two engines which may differ in anything have different names, and none is used where it does not fit.
"""

import contextlib
import hashlib
import json
import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from vfxgan.errors import RuntimeFailure, VfxganError
from vfxgan.gpu.library import problems, series, tensorrt
from vfxgan.gpu.options import BuildOptions, Frozen, InputShapes
from vfxgan.spec import ModelSpec, Parity

DIGEST_CHARS = 12  # of the key, in a file's name
# Beside later ones of its own series, a version-compatible engine runs on these (TensorRT 11.4, support matrix).
LATER_SERIES = {8: (10,), 10: (11,)}

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^\d{1,4}\.[0-9A-Za-z.+-]{1,40}$")]
Capability = Annotated[str, Field(pattern=r"^\d{1,3}\.\d{1,3}$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\\x00.][^/\\\x00]{0,254}$")]  # nor "." or "..", nor hidden


class BuiltOn(Frozen):
    """Where an engine was built: in full, also where the key names only a compatibility level."""

    tensorrt: Version
    gpu: str = Field(min_length=1, max_length=256)
    compute_capability: Capability


class EngineKey(Frozen):
    """All that an engine is made from.

    Attributes:
        onnx_sha256: of the file's bytes.
        options: every option of the build.
        input: what the builder was told about the input.
        typing: "strong": precision is the ONNX file's. "fp16-obey": TensorRT 8.6 chooses between half and FP32, but for
            the layers that the ONNX file keeps FP32. "fp32": TensorRT 8.6, no half.
        tensorrt: its version; "10.x" where the engine is version-compatible.
        gpu: its name; with hardware compatibility the level.
        compute_capability: such as "9.0"; with compatibility across them the level.
    """

    onnx_sha256: Sha256
    options: BuildOptions
    input: InputShapes
    typing: Literal["strong", "fp16-obey", "fp32"]
    tensorrt: str = Field(pattern=r"^[0-9A-Za-z.+-]{1,48}$")
    gpu: str = Field(min_length=1, max_length=256)
    compute_capability: str = Field(min_length=1, max_length=48)

    def digest(self) -> str:
        """SHA-256 of the key, as hexadecimal digits."""
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()

    def file_name(self, stem: str) -> str:
        """`<stem>.<gpu>.<TensorRT>.<first 12 of the digest>.plan`."""
        gpu = re.sub(r"[^a-z0-9]+", "-", self.gpu.lower()).strip("-") or "gpu"
        return f"{stem}.{gpu[:40]}.{self.tensorrt}.{self.digest()[:DIGEST_CHARS]}.plan"


def canonical(value: object) -> str:
    """JSON that is the same text for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def make_key(
    onnx_sha256: str, options: BuildOptions, shapes: InputShapes, typing: Literal["strong", "fp16-obey", "fp32"],
    where: BuiltOn,
) -> EngineKey:  # fmt: skip
    """With a compatibility level, the level stands in the place of what the engine is not tied to."""
    level = options.hardware_compat
    return EngineKey(
        onnx_sha256=onnx_sha256,
        options=options,
        input=shapes,
        typing=typing,
        tensorrt=f"{series(where.tensorrt)[0]}.x" if options.version_compat else where.tensorrt,
        gpu=where.gpu if level == "none" else level,
        compute_capability=level if level == "ampere-plus" else where.compute_capability,
    )


class Sidecar(Frozen):
    """The JSON file beside an engine.

    Attributes:
        digest: of the key; a sidecar that was edited does not fit its own.
        engine_sha256, engine_bytes: of the engine file. It is not opened unless both fit.
        onnx_name: the file it was built from, expected beside it.
        timing_cache_sha256: of the timing cache after the build; None where there was none.
        parity: as measured with this engine; None where no gate ran.
    """

    sidecar_version: Literal[1] = 1
    digest: Sha256
    key: EngineKey
    engine_sha256: Sha256
    engine_bytes: int = Field(ge=1)
    onnx_name: FileName
    built: BuiltOn
    timing_cache_sha256: Sha256 | None = None
    spec: ModelSpec
    parity: Parity | None = None

    @model_validator(mode="after")
    def _digest_fits(self) -> "Sidecar":
        if self.digest != self.key.digest():
            raise ValueError(f"digest: {self.digest[:12]}… is not that of the key, {self.key.digest()[:12]}…")
        return self

    def to_json(self) -> str:
        """For people too: indented, keys sorted."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=2) + "\n"


class Machine(Frozen):
    """What this machine has.

    Attributes:
        missing: one line that says what engines need and is not here, and what to install; None where all is there.
    """

    tensorrt: str | None = None
    gpu: str | None = None
    compute_capability: str | None = None
    missing: str | None = None

    def where(self) -> BuiltOn:
        """For the key. Raises RuntimeFailure where something is missing."""
        if self.missing or not (self.tensorrt and self.gpu and self.compute_capability):
            raise RuntimeFailure(f"TensorRT engines cannot be used here: {self.missing}")
        return BuiltOn(tensorrt=self.tensorrt, gpu=self.gpu, compute_capability=self.compute_capability)


def this_machine(device: int = 0) -> Machine:
    """Look at the driver, TensorRT and CUDA. Raises nothing: what fails is in `missing`."""
    found = problems()
    version = gpu = capability = None
    with contextlib.suppress(VfxganError):  # it is one of `problems()` then
        version = str(tensorrt().__version__)
    if not found:
        from vfxgan.gpu.cuda import device_facts

        try:
            facts = device_facts(device)
            gpu, capability = facts.name, facts.compute_capability
        except VfxganError as error:
            found.append(str(error))
    return Machine(tensorrt=version, gpu=gpu, compute_capability=capability, missing="; ".join(found) or None)


def misfits(sidecar: Sidecar, machine: Machine, onnx_sha256: str | None = None) -> list[str]:
    """Why an engine cannot be used on a machine; nothing where it can.

    Args:
        onnx_sha256: of the model that is to be run; None: not compared.
    """
    reasons = [machine.missing] if machine.missing else []
    if machine.tensorrt is not None:
        reasons += _tensorrt_misfits(sidecar, machine.tensorrt)
    if machine.gpu is not None and machine.compute_capability is not None:
        reasons += _gpu_misfits(sidecar, machine.gpu, machine.compute_capability)
    if onnx_sha256 is not None and onnx_sha256 != sidecar.key.onnx_sha256:
        reasons.append(
            f"{sidecar.onnx_name} is another one now: SHA-256 {onnx_sha256[:12]}…, "
            f"the engine is of {sidecar.key.onnx_sha256[:12]}…"
        )
    return reasons


def _tensorrt_misfits(sidecar: Sidecar, here: str) -> list[str]:
    built = sidecar.built.tensorrt
    if here == built:
        return []
    if not sidecar.key.options.version_compat:
        return [f"built with TensorRT {built}, here is {here}"]
    (major, minor), (major_here, minor_here) = series(built), series(here)
    if (major_here == major and minor_here >= minor) or major_here in LATER_SERIES.get(major, ()):
        return []
    later = " or ".join(["a later " + f"{major}.x", *(f"{number}.x" for number in LATER_SERIES.get(major, ()))])
    return [f"built with TensorRT {built} for that or {later}, here is {here}"]


def _gpu_misfits(sidecar: Sidecar, gpu: str, capability: str) -> list[str]:
    built, level = sidecar.built, sidecar.key.options.hardware_compat
    here = f"{gpu} (compute capability {capability})"
    if level == "ampere-plus":
        return [] if _numbers(capability) >= (8, 0) else [f"built for Ampere and later, here is {here}"]
    if level == "same-compute-capability":
        same = capability == built.compute_capability
        return [] if same else [f"built for compute capability {built.compute_capability}, here is {here}"]
    if (gpu, capability) == (built.gpu, built.compute_capability):
        return []
    return [f"built for {built.gpu} (compute capability {built.compute_capability}), here is {here}"]


def _numbers(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))
