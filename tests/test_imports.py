"""Who may import whom: the last column of the layout table in the README, enforced.

The rules are read from the source, so that an import inside a function counts too; the start-up tests look at what is
really loaded.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "core": "vfxgan",
    "trainer": "vfxgan.trainer",
    "export": "vfxgan.export",
    "render": "vfxgan.render",
    "plugins": "vfxgan.plugins",
}
STAGES = ("trainer", "export", "render", "plugins")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

# What a stage may import of ours beside itself; `core` stands for everything outside the stages but the command line.
MAY_IMPORT = {
    "core": (),
    "cli": ("core", *STAGES),  # stages inside functions only
    "trainer": ("core",),
    "export": ("core", "vfxgan.trainer.networks"),
    "render": ("core",),
    "plugins": (),
}
TRAINING_LIBRARIES = ("torch", "torchvision", "lightning", "lightning_fabric", "onnx", "onnxscript", "tensorboard")
INFERENCE_LIBRARIES = ("onnxruntime", "openvino")
# The parity gate compares the exported file with the network, and `export` may not import `render`'s runtimes.
# So does evaluation, whose feature network is the user's own ONNX file; `trainer` may not import `render` either.
MAY_USE_ONNXRUNTIME = ("vfxgan.export.onnxruntime_cpu", "vfxgan.trainer.evaluation.features")
# Looking at frames and signing them needs what rendering does not: each of these in one place, so that the extra stays
# one.
OF_EXTRAS = {
    "av": ("vfxgan.render.movie",),
    "skimage": ("vfxgan.render.figures",),
    "c2pa": ("vfxgan.render.provenance",),
    "cryptography": ("vfxgan.render.certificates",),
}
# Export builds and compares engines, render runs them, and neither may import the other: what both need is in core.
GPU_LIBRARIES = ("tensorrt", "cuda")
MAY_USE_GPU_LIBRARIES = ("vfxgan.gpu", "vfxgan.export.trt", "vfxgan.render.runtimes")
# What a host has on its path, by the folder of plugins/ that is written for it; the client is on each one's.
CLIENT = "vfxgan_client"
OF_HOSTS = {
    "vfxgan.plugins.client": (),
    "vfxgan.plugins.nuke": ("vfxgan_nuke", "nuke", "nukescripts"),
    "vfxgan.plugins.houdini": ("vfxgan_houdini", "hou", "pdg", "pdgcmd"),
}
NEWER_THAN_HOSTS = {"tomllib"}  # the oldest host runs Python 3.9


@dataclass(frozen=True)
class Import:
    """One imported name: `from vfxgan.render import runtimes` is `vfxgan.render.runtimes`."""

    name: str
    line: int
    deferred: bool  # inside a function or `if TYPE_CHECKING`: not run when the module is loaded


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join((FOLDERS[parts[0]], *parts[1:]))
    return name.removesuffix(".__init__")


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every import of a module, also `importlib.import_module("…")` with a literal name."""
    package = module if is_package else module.rpartition(".")[0]
    yield from _imports_below(ast.parse(source), package, deferred=False)


def _imports_below(node: ast.AST, package: str, *, deferred: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for name in _imported_names(child, package):
            yield Import(name, getattr(child, "lineno", 0), deferred)
        enters_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        enters_typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _imports_below(child, package, deferred=deferred or enters_function or enters_typing)


def _imported_names(node: ast.AST, package: str) -> list[str]:
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join((*above, node.module) if node.module else above)
            return [f"{base}.{alias.name}" for alias in node.names]
        case ast.Call(args=[ast.Constant(value=str(name)), *_]) if ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            return [name]
    return []


def part_of(name: str) -> str:
    """The stage a module of ours belongs to; `cli` and `core` for those in `core/`."""
    second = (*name.split("."), "")[1]
    return second if second in (*STAGES, "cli") else "core"


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """The imports of a module that the table forbids, as `module:line imports name: reason`."""
    found = []
    for imported in imports(source, module, is_package=is_package):
        reason = _why_forbidden(module, imported)
        if reason:
            found.append(f"{module}:{imported.line} imports {imported.name}: {reason}")
    return found


def _why_forbidden(module: str, imported: Import) -> str | None:
    part, top = part_of(module), imported.name.split(".")[0]
    if top == "vfxgan":
        return _why_forbidden_of_ours(part, imported)
    if top in FOLDERS:
        return f"the folder {top}/ is imported as {FOLDERS[top]}"
    if part == "plugins" and top not in sys.stdlib_module_names - NEWER_THAN_HOSTS and not _is_of_host(module, top):
        return "plugins run inside Nuke and Houdini: standard library only"
    if part in ("core", "cli", "render") and top in TRAINING_LIBRARIES:
        return "a machine that renders has no training libraries"
    if top in GPU_LIBRARIES:
        allowed = any(_is_within(module, package) for package in MAY_USE_GPU_LIBRARIES)
        return None if allowed else f"only {', '.join(MAY_USE_GPU_LIBRARIES)} import {top}"
    if module not in OF_EXTRAS.get(top, (module,)):
        return f"only {', '.join(OF_EXTRAS[top])} imports {top}"
    if top in OF_EXTRAS and not imported.deferred:
        return f"{top} is of an extra: import it inside a function"
    if top == "cv2" and module != "vfxgan.render.flow":
        return "only render/flow.py imports OpenCV"
    if top in INFERENCE_LIBRARIES and not module.startswith("vfxgan.render.runtimes."):
        allowed = top == "onnxruntime" and module in MAY_USE_ONNXRUNTIME
        return None if allowed else "only render/runtimes imports an inference library"
    return None


def _why_forbidden_of_ours(part: str, imported: Import) -> str | None:
    target = part_of(imported.name)
    allowed = MAY_IMPORT[part]
    if target != part and target not in allowed and not any(_is_within(imported.name, name) for name in allowed):
        return f"{part} may import {', '.join(allowed) or 'nothing else'} of ours"
    if part == "cli" and target in STAGES and not imported.deferred:
        return "the command line imports a stage inside the command, so that --help stays quick"
    return None


def _is_of_host(module: str, top: str) -> bool:
    return any(_is_within(module, folder) and top in (CLIENT, *names) for folder, names in OF_HOSTS.items())


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_folder_may(path: Path) -> None:
    found = violations(path.read_text("utf-8"), module_name(path), is_package=path.name == "__init__.py")
    assert not found, "\n".join(found)


def test_every_folder_of_sources_is_checked() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(FOLDERS)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("vfxgan.spec", "from vfxgan.trainer import loop"),
        ("vfxgan.spec", "def later():\n    import vfxgan.render.frames"),
        ("vfxgan.spec", "from vfxgan.cli.main import run"),
        ("vfxgan.spec", "import torch"),
        ("vfxgan.cli.render", "from vfxgan.render import frames"),
        ("vfxgan.cli.render", "from vfxgan import render"),
        ("vfxgan.trainer.loop", "from vfxgan.export.fold import fold"),
        ("vfxgan.trainer.loop", "from ..render import frames"),
        ("vfxgan.trainer.loop", "import onnxruntime"),
        ("vfxgan.export.graph", "from vfxgan.trainer import checkpoint"),
        ("vfxgan.export.graph", "from vfxgan.render.runtimes import onnxruntime_cpu"),
        ("vfxgan.export.graph", "import onnxruntime as ort"),
        ("vfxgan.export.parity", "import openvino"),
        ("vfxgan.trainer.evaluation.features", "import tensorrt"),
        ("vfxgan.render.frames", "from torch import nn"),
        ("vfxgan.render.frames", "import onnxruntime"),
        ("vfxgan.render.frames", 'import importlib\nimportlib.import_module("tensorrt")'),
        ("vfxgan.render.frames", "from cuda.bindings import runtime"),
        ("vfxgan.export.pipeline", "import tensorrt"),
        ("vfxgan.gpu.engine", "import torch"),
        ("vfxgan.render.temporal", "def later():\n    import cv2"),
        ("vfxgan.render.runtimes.openvino_cpu", "import onnx"),
        ("vfxgan.plugins.client.vfxgan_client.events", "import numpy"),
        ("vfxgan.plugins.client.vfxgan_client.events", "from vfxgan.errors import VfxganError"),
        ("vfxgan.plugins.client.vfxgan_client.events", "import tomllib"),
        ("vfxgan.plugins.client.vfxgan_client.events", "import nuke"),
        ("vfxgan.plugins.nuke.vfxgan_nuke.panels", "import hou"),
        ("vfxgan.render.preview", "def later():\n    import av"),
        ("vfxgan.render.movie", "import av"),
        ("vfxgan.render.signing", "def later():\n    import c2pa"),
        ("vfxgan.render.provenance", "import c2pa"),
        ("vfxgan.render.provenance", "def later():\n    from cryptography import x509"),
        ("vfxgan.trainer.loop", "def later():\n    from skimage.metrics import structural_similarity"),
        ("vfxgan.render.frames", "from core.errors import VfxganError"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("vfxgan.spec", "import numpy\nfrom vfxgan.errors import ModelError\nfrom . import colour"),
        ("vfxgan.cli.render", "def render():\n    from vfxgan.render.frames import render_frames"),
        ("vfxgan.cli.render", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import vfxgan.render"),
        ("vfxgan.trainer.loop", "import torch\nfrom vfxgan import images\nfrom .networks import dcgan"),
        ("vfxgan.export.graph", "import onnx\nfrom vfxgan.trainer.networks import NETWORKS"),
        ("vfxgan.export.onnxruntime_cpu", "import onnxruntime"),
        ("vfxgan.trainer.evaluation.features", "import onnxruntime"),
        ("vfxgan.render.runtimes.onnxruntime_cpu", "import onnxruntime"),
        ("vfxgan.gpu.library", 'import importlib\nimportlib.import_module("tensorrt")'),
        ("vfxgan.export.trt.build", "import tensorrt"),
        ("vfxgan.render.flow", "def later():\n    import cv2"),
        ("vfxgan.render.runtimes.tensorrt_gpu", "from cuda.bindings import runtime"),
        ("vfxgan.render.movie", "def later():\n    import av"),
        ("vfxgan.render.provenance", "def later():\n    import c2pa"),
        ("vfxgan.plugins.client.vfxgan_client.job", "import subprocess\nfrom vfxgan_client.events import Event"),
        ("vfxgan.plugins.nuke.vfxgan_nuke.panels", "import nuke\nfrom vfxgan_client import Job"),
        ("vfxgan.plugins.houdini.python.vfxgan_houdini.items", "import hou\nimport pdg"),
    ],
)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_a_relative_import_in_a_package_starts_from_the_package_itself() -> None:
    assert [found.name for found in imports("from . import dcgan", "vfxgan.trainer.networks", is_package=True)] == [
        "vfxgan.trainer.networks.dcgan"
    ]


SLOW_TO_LOAD = ("numpy", "torch", "onnx", "onnxruntime", "openvino", "OpenImageIO")
OF_EXTRAS_FAMILY = ("av", "skimage", "matplotlib", "scipy", "c2pa", "cryptography")
TORCH_FAMILY = ("torch", "onnx", "onnxscript", "lightning_fabric", "tensorboard")


def loaded_by(code: str, watched: tuple[str, ...]) -> list[str]:
    """Which of the watched packages a fresh interpreter has loaded after running the code."""
    probe = f"{code}\nimport json, sys\nprint(json.dumps([name for name in {watched!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded


@pytest.mark.parametrize(
    "code",
    ["import vfxgan.cli.main", "from vfxgan.cli.main import run\nassert run(['--help']) == 0"],
    ids=["import", "--help"],
)
def test_the_command_line_starts_without_numpy_or_any_larger_library(code: str) -> None:
    assert loaded_by(code, SLOW_TO_LOAD) == []


def test_the_whole_of_render_loads_without_torch_and_what_extras_need() -> None:
    names = [module_name(path) for path in SOURCES if path.is_relative_to(ROOT / "render")]
    # The runtimes' own libraries may be absent on this machine; importing a runtime module is not running it.
    assert loaded_by("\n".join(f"import {name}" for name in names), (*TORCH_FAMILY, *OF_EXTRAS_FAMILY)) == []
