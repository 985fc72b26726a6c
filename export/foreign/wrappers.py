"""What people's files have around the weights: dictionaries, and prefixes on every name."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vfxgan.errors import ModelError
from vfxgan.export.foreign.architecture import Tensors

# The first that is there is taken: averages before the weights they average, then what merely holds them.
WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "net", "g_ema", "generator")
PREFIXES = ("module.", "netG.", "generator.", "_orig_mod.")
MAX_NESTING = 8


def unwrap(body: Mapping[str, Any]) -> tuple[Tensors, tuple[str, ...]]:
    """The state dict within, its prefixes stripped, and notes about what was chosen or left out.

    Raises:
        ModelError: no weights where they are known to be.
    """
    notes: list[str] = []
    for _ in range(MAX_NESTING):
        wrappers = [name for name in WRAPPERS if isinstance(body.get(name), Mapping)]
        if not wrappers:
            break
        if len(wrappers) > 1:
            notes.append(f"weights are those under {wrappers[0]!r}; {', '.join(map(repr, wrappers[1:]))} left out")
        body = body[wrappers[0]]
    tensors = {name: value for name, value in body.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        held = ", ".join(str(name)[:60] for name in list(body)[:4]) or "nothing"
        raise ModelError(f"holds no weights where they are looked for (it holds: {held}); known: {', '.join(WRAPPERS)}")
    return _without_prefixes(tensors, notes)


def _without_prefixes(tensors: Tensors, notes: list[str]) -> tuple[Tensors, tuple[str, ...]]:
    """Strip again and again: `module._orig_mod.netG.` occurs. What stands beside a prefix is another network."""
    while prefix := next((one for one in PREFIXES if any(name.startswith(one) for name in tensors)), None):
        others = [name for name in tensors if not name.startswith(prefix)]
        if others:
            notes.append(f"weights are those under {prefix!r}; {len(others)} others left out, such as {others[0]!r}")
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return tensors, tuple(notes)
