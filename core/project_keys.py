"""Every key of `vfxgan.toml`: what it may be, and what it means. One literal table, which the documentation shows."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vfxgan.cpu_isa import LEVELS as CPU_LEVELS
from vfxgan.path_map import SYSTEMS, as_written

ENGINES = ("openjd", "deadline", "slurm", "opencue", "commands")
# Those of vfxgan.render.runtimes, and auto; a test compares, because loading them takes longer than a short command.
RUNTIMES = ("onnxruntime", "openvino", "onnxruntime-cuda", "tensorrt", "auto")
TOKENS = ("shot", "version", "view", "model")
SHOWN_CHARACTERS = 60

_PADDING = re.compile(r"#+|@+|%\d*d|\$F\d*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What would be a separator, padding, a view, a token or a mark that Windows refuses.
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\#@%$:*?\"<>|{}]")
MAX_NAME_BYTES = 120


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        name: with its table: `farm.chunk`.
        check: the value's problem as the rest of a sentence (`is 0, not 1 … 100000`), or "".
        takes: for people.
        about: one sentence, for the documentation.
        example: as it stands in a file.
        default: where the key is absent; None: there is none, or the command has its own.
    """

    name: str
    check: Callable[[Any], str]
    takes: str
    about: str
    example: str
    default: Any = None


def shown(value: object) -> str:
    """A value in a message: one line, and not long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = as_written(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return f"is {shown(value)}, not text"
    if not value.strip():
        return f"is {shown(value)}: empty"
    return f"is {shown(value)}: has a control character" if _CONTROL.search(value) else ""


def _model(value: Any) -> str:
    problem = _text(value)
    return f'{problem}; write model = "path"' if problem else ""


def _number(low: int, high: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"is {shown(value)}, not a whole number"
        return "" if low <= value <= high else f"is {shown(value)}, not {low} … {high}"

    return check


def _one_of(*names: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        problem = _text(value)
        return problem or ("" if value in names else f"is {shown(value)}, not one of: {', '.join(names)}")

    return check


def _words(value: Any) -> str:
    if not isinstance(value, list) or any(not isinstance(word, str) for word in value):
        return f'is {shown(value)}, not a list of words; write ["--account=fx"]'
    return next((problem for word in value if (problem := _text(word))), "")


def name_problem(value: str) -> str:
    """What keeps a text from being the value of a token, or "": it becomes a part of file and folder names."""
    if not value.strip():
        return "is empty"
    if value.startswith(".") or value[-1] in ". " or value != value.lstrip():
        return "starts or ends with a dot or a space"
    found = _NOT_IN_NAMES.search(value)
    if found:
        return f"has {found.group()!r} in it; use letters, digits, - and _"
    return f"has more than {MAX_NAME_BYTES} bytes" if len(value.encode("utf-8", "replace")) > MAX_NAME_BYTES else ""


def _name(value: Any) -> str:
    problem = _text(value) or name_problem(value)
    return f"is {shown(value)}: {problem}" if problem and not problem.startswith("is ") else problem


def pattern_problem(value: Any) -> str:
    """What is wrong with an output pattern, or ""."""
    problem = _text(value)
    if problem:
        return problem
    said = f"is {shown(value)}"
    tokens = re.findall(r"\{([^{}]*)\}", value)
    unknown = [token for token in tokens if token not in TOKENS]
    if unknown:
        return f"{said}: unknown token {{{unknown[0]}}}; there are {', '.join(f'{{{name}}}' for name in TOKENS)}"
    without = re.sub(r"\{[^{}]*\}", "x", value)
    if set("{}") & set(without):
        return f"{said}: has a brace that belongs to no token"
    folder, _, name = without.replace("\\", "/").rpartition("/")
    if not name.lower().endswith((".exr", ".png")):
        return f"{said}: ends neither in .exr nor in .png"
    if len(_PADDING.findall(name)) != 1 or set("#@%$") & set(_PADDING.sub("", name)):
        return f"{said}: needs one padding in the file's name, such as ####"
    if set("#@%$") & set(folder):
        return f"{said}: has padding in a folder; views are {{view}}"
    return _view_problem(value, said)


def _view_problem(value: str, said: str) -> str:
    """One version is of all views, so that its folder can be claimed in one step."""
    for word in value.replace("\\", "/").split("/")[:-1]:
        if "{view}" in word:
            return f"{said}: {{view}} comes before {{version}}; put it after" if "{version}" in value else ""
        if "{version}" in word:
            return ""
    return ""


# What starts a job of the engines that have something to start; and an example.
_EXTRA = {
    "deadline": ("`deadline bundle submit`", '["--farm-id=farm-0123456789abcdef"]'),
    "slurm": ("`sbatch`", '["--account=fx"]'),
    "opencue": ("OpenCue", "[]"),
}
_PATH = "path, from the file's folder"
KEYS: tuple[Key, ...] = (
    Key("model", _model, f"{_PATH}; or a packaged name", "Model where none is named and `$VFXGAN_MODEL` is not set.",
        '"models/fire.onnx"'),
    Key("upscaler", _model, f"{_PATH}; or a packaged name", "The same for plates (`--in`); absent: `model`.",
        '"models/twice.onnx"'),
    Key("colorspace", _text, "OCIO space", "`--colorspace` of EXR frames; a PNG is sRGB whatever it says.", '"ACEScg"'),
    Key("in_colorspace", _text, "OCIO space", "`--in-colorspace` of plates, also where a file says another.",
        '"ACEScg"'),
    Key("ocio", _text, f"{_PATH}; or ocio://…", "`--ocio` where `$OCIO` is not set.", '"colour/config.ocio"'),
    Key("bit_depth", _one_of("half", "float"), "half, float", "`--bit-depth` of EXR frames.", '"half"'),
    Key("compression", _text, "zips, zip:4, dwaa:45, …", "`--compression` of EXR frames.", '"zip:4"'),
    Key("runtime", _one_of(*RUNTIMES), ", ".join(RUNTIMES), "`--runtime`.", '"openvino"'),
    Key("cpu_isa", _one_of(*CPU_LEVELS), ", ".join(CPU_LEVELS), "`--cpu-isa`, where the runtime is openvino.",
        '"avx2"'),
    Key("threads", _number(1, 1024), "1 … 1024", "`--threads`.", "8"),
    Key("output.pattern", pattern_problem, "pattern with tokens", "Where frames go that have no `--out`.",
        '"renders/{shot}/{version}/{model}/{shot}_{model}_{version}.####.exr"'),
    Key("output.root", _text, _PATH, "Folder that the pattern starts from; absent: the file's.", '"sequences"'),
    Key("output.shot", _name, "name", "`{shot}` where there is no `--shot`.", '"sh010"'),
    Key("output.view", _name, "name", "`{view}` of pictures whose `--in` has no `%V`.", '"main"', "main"),
    Key("output.version_digits", _number(1, 8), "1 … 8", "Digits of `{version}`: 3 is v001.", "3", 3),
    Key("farm.to", _one_of(*ENGINES), ", ".join(ENGINES), "`--to` of `vfxgan submit`.", '"slurm"'),
    Key("farm.command", _text, "path or name", "The `vfxgan` command on the farm.", '"/opt/vfxgan/bin/vfxgan"',
        "vfxgan"),
    Key("farm.system", _one_of(*SYSTEMS), ", ".join(SYSTEMS), "What farm nodes run; paths are mapped for it.",
        '"linux"', "linux"),
    Key("farm.chunk", _number(1, 100_000), "1 … 100000", "Frames of a task.", "20"),
    Key("farm.target_seconds", _number(1, 86_400), "1 … 86400", "How long a task is to take, where the engine adapts.",
        "300"),
    Key("farm.priority", _number(0, 100), "0 … 100", "The higher the sooner.", "50", 50),
    Key("farm.retries", _number(0, 100), "0 … 100", "Of a task that failed.", "2", 2),
    Key("farm.partition", _text, "name", "Slurm's partition: `--partition`.", '"gpu"'),
    Key("farm.queue", _text, "id", "AWS Deadline Cloud's queue: `--queue-id`.", '"queue-0123456789abcdef"'),
    *(Key(f"farm.extra.{name}", _words, "list of words", f"Options of {about}, before those of `submit --extra`.",
          example) for name, (about, example) in _EXTRA.items()),
)  # fmt: skip
PATHS = ("model", "upscaler", "ocio", "output.pattern", "output.root")  # farm.command is the farm's
BY_NAME = {key.name: key for key in KEYS}
TABLES = ("output", "farm", "farm.extra")
ROWS = "paths"
