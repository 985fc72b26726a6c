"""What names an engine, and on which machines it fits."""

import json
import types
import typing
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from vfxgan.gpu.identity import EngineKey, Machine, misfits, this_machine
from vfxgan.gpu.options import BuildOptions, Profile

HERE = Machine(tensorrt="10.16.1.11", gpu="NVIDIA RTX A6000", compute_capability="8.6")
# Two values of each field that differ; a new option fails the tests below until it has a pair here.
OPTIONS = {
    "batch": (1, 2),
    "tile": ((16, 24), (24, 16)),
    "profile": (None, Profile(min=(8, 8), opt=(16, 16), max=(32, 32))),
    "workspace_mib": (None, 512),
    "opt_level": (3, 4),
    "hardware_compat": ("none", "same-compute-capability"),
    "version_compat": (False, True),
    "tf32": (False, True),
}
KEY = {
    "onnx_sha256": ("a" * 64, "b" * 64),
    "options": (BuildOptions(), BuildOptions(batch=2)),
    "typing": ("strong", "fp16-obey"),
    "tensorrt": ("10.16.1.11", "10.16.1.12"),
    "gpu": ("NVIDIA RTX A6000", "NVIDIA RTX A5000"),
    "compute_capability": ("8.6", "8.9"),
}
SHAPES = {"name": ("image", "latent"), "min": ((1, 3, 8, 8), (1, 3, 8, 4)), "max": ((1, 3, 8, 8), (2, 3, 8, 8))}


def leaves(model: type[BaseModel]) -> set[str]:
    """Every field, those of models within it too: `options.tile`."""
    found = set()
    for name, field in model.model_fields.items():
        inner = [kind for kind in _parts(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        found |= {f"{name}.{below}" for kind in inner for below in leaves(kind)} or {name}
    return found


def _parts(annotation: Any) -> tuple[Any, ...]:
    union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    return typing.get_args(annotation) if union else (annotation,)


def test_every_field_of_a_key_is_altered_by_the_test_below():
    """Walks the models themselves, so that a new option cannot be forgotten."""
    assert set(OPTIONS) == set(BuildOptions.model_fields)
    altered = {f"options.{name}" for name in OPTIONS if name != "profile"}
    altered |= {f"options.profile.{name}" for name in Profile.model_fields}
    altered |= {f"input.{name}" for name in ("name", "min", "opt", "max")}
    altered |= set(KEY) - {"options"}
    assert leaves(EngineKey) == altered


@pytest.mark.parametrize("name", BuildOptions.model_fields)
def test_another_option_is_another_key_and_another_file(sidecar_of, name):
    first, second = (
        sidecar_of(**{"tile": None if isinstance(value, Profile) else (16, 24), name: value}).key
        for value in OPTIONS[name]
    )
    assert first != second
    assert first.digest() != second.digest()
    assert first.file_name("model") != second.file_name("model")


@pytest.mark.parametrize("side", ["min", "opt", "max"])
def test_another_side_of_a_profile_is_another_key(sidecar_of, side):
    sizes = {"min": (8, 8), "opt": (16, 16), "max": (32, 32)}
    other = sizes | {side: {"min": (8, 16), "opt": (16, 24), "max": (32, 40)}[side]}
    keys = [sidecar_of(tile=None, profile=Profile(**chosen)).key for chosen in (sizes, other)]
    assert keys[0].digest() != keys[1].digest()


@pytest.mark.parametrize("name", KEY)
def test_another_file_version_or_gpu_is_another_key(sidecar_of, name):
    key = sidecar_of().key
    assert len({key.model_copy(update={name: value}).digest() for value in KEY[name]}) == 2


@pytest.mark.parametrize("name", SHAPES)
def test_another_input_is_another_key(sidecar_of, name):
    key = sidecar_of().key
    digests = {
        key.model_copy(update={"input": key.input.model_copy(update={name: value})}).digest() for value in SHAPES[name]
    }
    assert len(digests) == 2


def test_a_key_is_the_same_after_a_trip_through_json(sidecar_of):
    profile = Profile(min=(8, 8), opt=(16, 16), max=(32, 32))
    key = sidecar_of(tile=None, profile=profile, workspace_mib=512, hardware_compat="ampere-plus").key
    again = EngineKey.model_validate_json(key.model_dump_json())
    assert again == key
    assert again.digest() == key.digest()


def test_the_digest_does_not_depend_on_the_order_of_keys(sidecar_of):
    key = sidecar_of().key
    turned = dict(reversed(json.loads(key.model_dump_json()).items()))
    assert EngineKey.model_validate_json(json.dumps(turned)).digest() == key.digest()


def test_a_file_is_named_after_model_gpu_tensorrt_and_key(sidecar_of):
    key = sidecar_of().key
    assert key.file_name("up") == f"up.nvidia-rtx-a6000.10.16.1.11.{key.digest()[:12]}.plan"


def test_a_compatibility_level_stands_in_the_place_of_what_the_engine_is_not_tied_to(sidecar_of):
    plain, ampere = sidecar_of().key, sidecar_of(hardware_compat="ampere-plus").key
    same, later = sidecar_of(hardware_compat="same-compute-capability").key, sidecar_of(version_compat=True).key
    assert (plain.gpu, plain.compute_capability, plain.tensorrt) == ("NVIDIA RTX A6000", "8.6", "10.16.1.11")
    assert (ampere.gpu, ampere.compute_capability) == ("ampere-plus", "ampere-plus")
    assert (same.gpu, same.compute_capability) == ("same-compute-capability", "8.6")
    assert later.tensorrt == "10.x"
    assert ".ampere-plus.10.16.1.11." in ampere.file_name("up")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tile": (16, 24), "profile": Profile(min=(8, 8), opt=(8, 8), max=(8, 8))}, "one size, or a profile"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"batch": True}, "valid integer"),
        ({"tile": (16, 99999)}, "less than or equal to 16384"),
        ({"opt_level": 6}, "less than or equal to 5"),
        ({"hardware_compat": "turing"}, "'none', 'ampere-plus' or 'same-compute-capability'"),
        ({"refit": True}, "Extra inputs are not permitted"),
    ],
)
def test_options_that_make_no_sense_are_refused(fields, reason):
    with pytest.raises(ValidationError, match=reason):
        BuildOptions(**fields)


def test_a_profile_must_be_in_order():
    with pytest.raises(ValidationError, match="are not in order"):
        Profile(min=(8, 8), opt=(64, 8), max=(32, 32))


def test_an_engine_fits_the_machine_it_was_built_on(sidecar_of):
    sidecar = sidecar_of()
    assert misfits(sidecar, HERE) == []
    assert misfits(sidecar, HERE, sidecar.key.onnx_sha256) == []


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"tensorrt": "11.4.0.106"}, "built with TensorRT 10.16.1.11, here is 11.4.0.106"),
        ({"tensorrt": "10.16.1.12"}, "built with TensorRT 10.16.1.11, here is 10.16.1.12"),
        (
            {"gpu": "NVIDIA L40S", "compute_capability": "8.9"},
            "built for NVIDIA RTX A6000 (compute capability 8.6), here is NVIDIA L40S (compute capability 8.9)",
        ),
        (
            {"gpu": "NVIDIA RTX A5000"},
            "built for NVIDIA RTX A6000 (compute capability 8.6), here is NVIDIA RTX A5000 (compute capability 8.6)",
        ),
    ],
)
def test_another_tensorrt_or_gpu_is_a_reason(sidecar_of, machine, reason):
    assert misfits(sidecar_of(), HERE.model_copy(update=machine)) == [reason]


def test_all_reasons_are_given(sidecar_of):
    machine = Machine(tensorrt="11.4.0.106", gpu="NVIDIA L40S", compute_capability="8.9")
    found = misfits(sidecar_of(), machine, "f" * 64)
    assert len(found) == 3
    assert found[2].startswith("upscaler.onnx is another one now: SHA-256 ffffffffffff…, the engine is of ")


@pytest.mark.parametrize(
    ("built", "here", "fits"),
    [
        ("10.3.0", "10.3.0", True),
        ("10.3.0", "10.16.1.11", True),
        ("10.3.0", "10.2.0", False),
        ("10.3.0", "11.4.0.106", True),
        ("8.6.1", "10.0.1", True),
        ("8.6.1", "11.4.0.106", False),
        ("11.4.0.106", "10.16.1.11", False),
    ],
)
def test_a_version_compatible_engine_fits_later_versions_and_no_earlier_ones(sidecar_of, built, here, fits):
    sidecar = sidecar_of(tensorrt=built, version_compat=True)
    found = misfits(sidecar, HERE.model_copy(update={"tensorrt": here}))
    assert (found == []) is fits
    assert fits or found[0].endswith(f"here is {here}")


@pytest.mark.parametrize(
    ("level", "capability", "fits"),
    [
        ("ampere-plus", "8.0", True),
        ("ampere-plus", "10.0", True),
        ("ampere-plus", "7.5", False),
        ("same-compute-capability", "8.6", True),
        ("same-compute-capability", "8.9", False),
    ],
)
def test_a_hardware_compatible_engine_fits_what_its_level_says(sidecar_of, level, capability, fits):
    other = HERE.model_copy(update={"gpu": "NVIDIA Other", "compute_capability": capability})
    found = misfits(sidecar_of(hardware_compat=level), other)
    assert (found == []) is fits
    assert fits or "NVIDIA Other" in found[0]


def test_a_machine_that_lacks_something_says_what_and_how_to_get_it(sidecar_of):
    machine = Machine(missing="there is no NVIDIA driver")
    assert misfits(sidecar_of(), machine) == ["there is no NVIDIA driver"]


def test_looking_at_this_machine_raises_nothing(monkeypatch):
    monkeypatch.setattr("vfxgan.gpu.library.DRIVER_LIBRARY", "libno-such-driver.so.1")
    machine = this_machine()
    assert machine.missing is not None
    assert "no NVIDIA driver (libno-such-driver.so.1 is not found): install it" in machine.missing
    assert machine.gpu is None
