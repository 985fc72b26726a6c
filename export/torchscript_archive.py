"""PyTorch's archive of a script, written again: no paths of this machine, no clock, the same bytes every time.

PyTorch notes beside each piece of code which line of which file on this machine it came from, and numbers classes by
how many this process has seen. Neither belongs into a file that is handed on.
"""

import io
import re
import zipfile

import torch
from torch import Tensor, nn

from vfxgan.torchscript_metadata import ROOT, SPEC_ENTRY

FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
UNIX = 3  # what zip files of every machine say they come from
_DROPPED = (".debug_pkl", "/.data/serialization_id")
_NUMBER = re.compile(r"___torch_mangle_(\d+)")
_GLOBAL = re.compile(rb"c(__torch__[\w.]*)\n(\w+)\n")  # pickle's opcode that names a class


def tidied(archive: io.BytesIO) -> dict[str, bytes]:
    """The archive's entries by name, without what depends on where and when it was made."""
    with zipfile.ZipFile(archive) as source:
        entries = {name: source.read(name) for name in source.namelist() if not name.endswith(_DROPPED)}
    pickled = entries[f"{ROOT}/data.pkl"]
    code = {name: body.decode() for name, body in entries.items() if name.startswith(f"{ROOT}/code/")}
    numbers: dict[str, str] = {}
    for text in (*(match[1].decode() for match in _GLOBAL.finditer(pickled)), *code, *code.values()):
        for number in _NUMBER.findall(text):
            numbers.setdefault(number, str(len(numbers)))

    def renumbered(text: str) -> str:
        return _NUMBER.sub(lambda match: f"___torch_mangle_{numbers[match[1]]}", text)

    def renumbered_global(match: re.Match[bytes]) -> bytes:
        return f"c{renumbered(match[1].decode())}\n{match[2].decode()}\n".encode()

    kept = {name: body for name, body in entries.items() if name not in code}
    kept[f"{ROOT}/data.pkl"] = _GLOBAL.sub(renumbered_global, pickled)
    return kept | {renumbered(name): renumbered(text).encode() for name, text in code.items()}


def zipped(entries: dict[str, bytes], spec_json: str) -> io.BytesIO:
    """An archive again, with the model's spec. Stored, not packed: weights do not get smaller, and readers of every
    age agree on it.
    """
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_STORED) as target:
        for name, content in (*entries.items(), (SPEC_ENTRY, spec_json.encode())):
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.create_system = UNIX
            target.writestr(entry, content)
    body.seek(0)
    return body


def take_names(*modules: nn.Module) -> None:
    """Let this process have seen every class of the modules once.

    PyTorch lays out the first script of a class in another way than all that follow; now there is no first.
    """
    for kind in {type(part) for module in modules for part in module.modules()}:
        torch.jit.script(type(kind.__name__, (_Stand,), {"__module__": kind.__module__})())


class _Stand(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x
