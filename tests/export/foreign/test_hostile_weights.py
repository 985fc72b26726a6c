"""Checkpoints made to harm or deceive: one line each, nothing run, nothing large made in memory."""

import io
import json
import os
import pickle
import resource
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from vfxgan.errors import ModelError
from vfxgan.export.sources import Hints, open_source

LITTLE_MIB = 200  # what refusing may add to this process's peak


@pytest.fixture
def refused(tmp_path):
    """Opening the file fails with one line that holds the words, and takes little memory."""

    def check(body, *words, name="net.pth"):
        path = tmp_path / name
        if isinstance(body, bytes):
            path.write_bytes(body)
        elif body is not None:
            torch.save(body, path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ModelError) as caught:
            open_source(path, Hints())
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        message = str(caught.value)
        assert "\n" not in message
        assert str(path) in message
        for word in words:
            assert word in message
        assert grown < LITTLE_MIB

    return check


@pytest.fixture
def dcgan(weights):
    """The smallest that is known: 8 px."""
    weights.conv("main.0", 4, 4, 4, 4, bias=False, transposed=True)
    weights.norm("main.1", 4)
    weights.conv("main.3", 4, 3, 4, 4, bias=False, transposed=True)
    return weights.tensors


class Code:
    """What a pickle calls when it is loaded."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("new_kind", [True, False])
def test_a_pickle_with_code_is_not_run(new_kind, dcgan, refused, tmp_path):
    trap = tmp_path / "trap"
    dcgan["main.0.weight"] = Code(f"touch {trap}")
    torch.save(dcgan, tmp_path / "net.pth", _use_new_zipfile_serialization=new_kind)
    refused(None, "this pickle would run code when loaded, so it was not loaded")
    assert not trap.exists()


def test_a_plain_pickle_with_code_is_not_run(refused, tmp_path):
    trap = tmp_path / "trap"
    refused(pickle.dumps(Code(f"touch {trap}")), "net.pth")
    assert not trap.exists()


def repacked(body, compression, change=lambda name, data: data):
    """The zip of torch.save, written again."""
    old, new = io.BytesIO(), io.BytesIO()
    torch.save(body, old)
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w", compression) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, change(entry.filename, source.read(entry)))
    return new.getvalue()


def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked(refused):
    bomb = repacked({"main.0.weight": torch.zeros(1 << 28, dtype=torch.uint8)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 20
    torch.zeros(1 << 28, dtype=torch.uint8).fill_(1)  # the peak so far, so that the next one would show
    refused(bomb, "a compressed archive, 25", "KiB that would unpack to 262", "not read")


def test_an_archive_whose_directory_claims_terabytes_is_not_read(refused, dcgan):
    whole = bytearray(repacked(dcgan, zipfile.ZIP_STORED))
    entry = whole.rindex(b"PK\x01\x02")
    whole[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFFF0)  # size when unpacked
    refused(bytes(whole), "would unpack to")


def test_a_storage_that_claims_more_than_its_entry_holds_is_damage(refused):
    def more(name, data):
        entries = b"K@"  # 64, as the pickle writes it
        return data.replace(entries, b"J" + struct.pack("<i", 1 << 30)) if name.endswith("data.pkl") else data

    body = {"main.0.weight": torch.arange(64, dtype=torch.float32)}
    refused(repacked(body, zipfile.ZIP_STORED, more), "not a PyTorch checkpoint, or cut short")


def test_a_tensor_strided_over_itself_claims_what_is_not_there(refused, dcgan):
    dcgan["main.0.weight"] = torch.zeros(1).expand(65536, 8192, 4, 4)
    refused(dcgan, "'main.0.weight' claims the shape [65536, 8192, 4, 4], but holds 4 bytes")


def test_many_tensors_on_one_storage_claim_what_is_not_there(refused):
    shared = torch.zeros(1 << 16)
    refused({f"body.{index}.conv1.weight": shared for index in range(1000)}, "tensors claim 262144000 bytes, but")


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_a_sparse_tensor_is_refused_before_it_is_made_dense(refused, dcgan):
    dcgan["main.0.weight"] = torch.sparse_coo_tensor([[0], [0], [0], [0]], [1.0], (65536, 65536, 4, 4))
    refused(dcgan, "'main.0.weight' is no dense tensor of real numbers (torch.sparse_coo")


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized_complex_and_dataless_tensors_are_refused(refused, dcgan):
    quantized = torch.quantize_per_tensor(torch.zeros(4, 4, 4, 4), 0.1, 0, torch.qint8)
    for tensor in (quantized, torch.zeros(4, 4, 4, 4, dtype=torch.complex64), torch.zeros(4, 4, 4, 4, device="meta")):
        refused(dcgan | {"main.0.weight": tensor}, "'main.0.weight' is no dense tensor of real numbers")


def test_a_dictionary_that_holds_itself_ends(refused):
    body = {"model": {}}
    body["model"]["model"] = body
    refused(body, "holds no weights where they are looked for")


def test_torchscript_is_code_and_is_not_loaded(refused, tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(3, 3, 1)), tmp_path / "net.pth")
    refused(None, "is TorchScript, which is code, so it was not loaded")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_said_to_be(share, refused, dcgan):
    whole = io.BytesIO()
    torch.save(dcgan, whole)
    refused(whole.getvalue()[: int(share * len(whole.getvalue()))], "not a PyTorch checkpoint, or cut short")


def test_weights_that_are_not_finite_are_named(refused, dcgan):
    for value in (float("nan"), float("inf")):
        dcgan["main.1.running_var"][2] = value
        refused(dcgan, "'main.1.running_var' holds NaN or Inf")


ABSURD = {
    "empty side": ({"main.0.weight": torch.zeros(0, 4, 4, 4)}, "has the shape [0, 4, 4, 4]"),
    "long side": ({"main.0.weight": torch.zeros(70000, 1, 1, 1)}, "has the shape [70000, 1, 1, 1]"),
    "scalar where a weight belongs": ({"main.0.weight": torch.tensor(1.0)}, "unknown architecture"),
    "long name": ({"main." + "9" * 5000 + ".weight": torch.zeros(1)}, "5012 characters long"),
    "block without the others before it": ({"main.999999999.weight": torch.zeros(4, 4, 4, 4)}, "not every third"),
    "too many tensors": (dict.fromkeys(map(str, range(20000)), torch.zeros(1)), "more than 16384 are not read"),
}


@pytest.mark.parametrize("case", ABSURD)
def test_an_absurd_shape_is_refused(case, refused, dcgan):
    change, reason = ABSURD[case]
    refused(dcgan | change, reason)


def test_a_network_too_large_is_refused_before_it_is_made(refused, weights):
    """Its first layer is 60,000 wide; the layers after it would take 120 GiB."""
    state = {"conv_first.weight": torch.zeros(60000, 3, 3, 3), "conv_first.bias": torch.zeros(60000)}
    for name in ("body.0.rdb1.conv1", "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"):
        weights.conv(name, 3, 4, 3, 3)
    refused(state | weights.tensors, "looks like ESRGAN RRDBNet, but its weights do not fit each other")


def test_a_checkpoint_of_ours_with_absurd_arguments_is_refused_before_it_is_made(tmp_path, refused):
    from vfxgan.spec import Encoding, ImageInput, ModelSpec
    from vfxgan.trainer.networks.checkpoint import Checkpoint, save_checkpoint

    for arguments, reason in (
        ({"width": 60000}, "conv_first.weight is missing"),
        ({"blocks": 10**9}, "blocks is 1000000000"),
        ({"channels_in": 10**12, "width": 10**12}, "cannot be built from its arguments"),
    ):
        spec = ModelSpec(
            name="toy",
            kind="upscaler",
            architecture="rrdb",
            arguments=arguments,
            input=ImageInput(channels=3),
            encoding=Encoding(),
            channels_out=3,
            scale=4,
        )
        save_checkpoint(tmp_path / "net.pth", Checkpoint(spec, {}, 1, {"a": torch.zeros(1)}, {}, {}))
        refused(None, reason)


def test_a_checkpoint_of_ours_with_strided_weights_is_refused(tmp_path, refused):
    from vfxgan.spec import ImageInput, ModelSpec
    from vfxgan.trainer.networks import build_generator
    from vfxgan.trainer.networks.checkpoint import Checkpoint, save_checkpoint

    arguments = {"width": 16, "blocks": 1}
    spec = ModelSpec(
        name="toy",
        kind="upscaler",
        architecture="srresnet",
        arguments=arguments,
        input=ImageInput(channels=3),
        channels_out=3,
        scale=4,
    )
    average = {name: torch.zeros(1).expand(tensor.shape) for name, tensor in build_generator(spec).state_dict().items()}
    save_checkpoint(tmp_path / "net.pth", Checkpoint(spec, {}, 1, average, {}, {}))
    refused(None, "claims the shape")


def safetensors_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


HEADERS = {
    "header longer than the file": struct.pack("<Q", 1 << 62) + b"{}",
    "header of a gigabyte": struct.pack("<Q", 1 << 30) + b"{" + b" " * 100,
    "no JSON": safetensors_of(b"hello world"),
    "shape larger than the data": safetensors_of(
        {"main.0.weight": {"dtype": "F32", "shape": [65536, 65536], "data_offsets": [0, 4]}}, b"\0" * 4
    ),
    "offsets beyond the end": safetensors_of(
        {"main.0.weight": {"dtype": "F32", "shape": [1 << 30], "data_offsets": [0, 1 << 32]}}, b"\0" * 4
    ),
    "shape that overflows": safetensors_of(
        {"main.0.weight": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 0]}}
    ),
    "tensors that share their bytes": safetensors_of(
        {f"a{index}": {"dtype": "F32", "shape": [1024], "data_offsets": [0, 4096]} for index in range(100)},
        b"\0" * 4096,
    ),
    "empty": b"",
    "a pickle": b"\x80\x02cos\nsystem\nq\x00.",
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_safetensors_file_that_lies_is_refused(case, refused):
    refused(HEADERS[case], "not a safetensors file, or cut short", name="net.safetensors")


def test_a_safetensors_file_cut_short_is_refused(refused, dcgan, tmp_path):
    save_file(dcgan, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    refused(whole[:-7], "not a safetensors file, or cut short", name="net.safetensors")


@pytest.mark.parametrize("name", ["gone.pth", "gone.safetensors", "gone.onnx"])
def test_a_file_that_is_not_there_is_named(name, refused):
    refused(None, "no such", name=name)


def test_a_folder_is_no_file(tmp_path):
    for name in ("folder.pth", "folder.safetensors", "folder.onnx"):
        (tmp_path / name).mkdir()
        with pytest.raises(ModelError, match=name):
            open_source(tmp_path / name, Hints())
