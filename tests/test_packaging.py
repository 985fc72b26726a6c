"""What is installed: the wheel's content, its extras, and the three ways of installing it.

Nothing is downloaded: pip builds with the setuptools of the environment that runs the tests.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

import vfxgan

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "core": "vfxgan",
    "trainer": "vfxgan/trainer",
    "export": "vfxgan/export",
    "render": "vfxgan/render",
    "plugins": "vfxgan/plugins",
}
SAFE_TOGETHER = ("train", "review", "temporal", "sign", "opencue", "dev")  # beside any runtime
OFFLINE = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_tree(to: Path) -> Path:
    """The sources without `build/` and the like: pip builds in the tree, and would leave things in ours."""
    to.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to)
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return to


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    tree = copy_tree(folder / "tree")
    run(sys.executable, "-m", "pip", "wheel", *OFFLINE, "--wheel-dir", folder, tree, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def requirements(metadata: Message, extra: str | None) -> set[str]:
    """The names of the packages that an extra (or None: no extra) asks for."""
    found = set()
    for line in metadata.get_all("Requires-Dist", []):
        marker = re.search(r"extra == ['\"](.+?)['\"]", line)
        if (marker.group(1) if marker else None) == extra:
            found.add(re.split(r"[^A-Za-z0-9._-]", line)[0].lower())
    return found


def test_the_wheel_installs_one_name_only(wheel_names: set[str]) -> None:
    """A facility's PYTHONPATH is full of modules called `render` and `export`."""
    tops = {name.split("/")[0] for name in wheel_names}
    assert tops == {"vfxgan", f"vfxgan-{vfxgan.__version__}.dist-info"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_wheel_holds_every_source_file_of(folder: str, wheel_names: set[str]) -> None:
    """A new package that is missing from the list in pyproject.toml is found here."""
    sources = {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*.py")}
    missing = {name for name in sources if f"{FOLDERS[folder]}/{name}" not in wheel_names}
    assert sources
    assert not missing, f"not in the wheel; add the package to [tool.setuptools] packages: {sorted(missing)}"


def test_the_wheel_holds_the_type_marker_the_models_and_the_licence(wheel_names: set[str]) -> None:
    models = {f"vfxgan/models/{path.name}" for path in (ROOT / "core" / "models").glob("*.onnx")}
    assert models, "no model ships inside the package"
    assert models | {"vfxgan/py.typed"} <= wheel_names
    assert f"vfxgan-{vfxgan.__version__}.dist-info/licenses/LICENSE" in wheel_names


def test_the_version_is_the_same_everywhere(metadata: Message) -> None:
    assert metadata["Version"] == vfxgan.__version__


def test_the_base_holds_what_rendering_needs_and_no_more(metadata: Message) -> None:
    assert requirements(metadata, None) == {
        "fileseq",
        "numpy",
        "openimageio",
        "pydantic",
        "rich",
        "tomli",
        "typer",
    }


def test_the_extras_are_the_documented_ones(metadata: Message) -> None:
    assert set(metadata.get_all("Provides-Extra", [])) == {"cpu", "gpu", "trt", *SAFE_TOGETHER}
    assert requirements(metadata, "cpu") == {"onnxruntime", "openvino"}
    assert requirements(metadata, "gpu") == {"onnxruntime-gpu", "cuda-python"}
    assert requirements(metadata, "trt") == {"tensorrt-cu13", "cuda-python"}
    assert requirements(metadata, "review") == {"av", "matplotlib", "scikit-image"}
    assert requirements(metadata, "temporal") == {"opencv-python-headless"}
    assert requirements(metadata, "sign") == {"c2pa-python"}
    assert requirements(metadata, "opencue") == {"opencue-pyoutline"}
    assert {"torch", "onnx", "onnxscript", "lightning-fabric"} <= requirements(metadata, "train")


@pytest.mark.parametrize("extra", SAFE_TOGETHER)
def test_no_other_extra_chooses_between_the_two_onnx_runtimes(extra: str, metadata: Message) -> None:
    """onnxruntime and onnxruntime-gpu in one environment break each other: the machine decides which."""
    assert not {name for name in requirements(metadata, extra) if name.startswith("onnxruntime")}


def test_every_base_and_extra_requirement_is_pinned_in_constraints(metadata: Message) -> None:
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    for extra in (None, "cpu", "gpu", "trt", *SAFE_TOGETHER):
        assert requirements(metadata, extra) <= pinned


def fresh_environment(folder: Path) -> Path:
    """An empty venv that sees this environment's libraries, but not its vfxgan.

    Returns:
        Its Python.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # A path added by a .pth is searched, but the .pth files in it (our own editable install) are not read.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.parametrize("way", ["wheel", "plain editable", "strict editable"])
def test_each_way_of_installing_imports_by_the_installed_names(way: str, wheel: Path, tmp_path: Path) -> None:
    python = fresh_environment(tmp_path / "venv")
    target: tuple[str | Path, ...] = (wheel,)
    expected = tmp_path / "venv"
    if way != "wheel":
        expected = copy_tree(tmp_path / "tree")
        target = ("--editable", expected)
    if way == "strict editable":
        target = ("--config-settings", "editable_mode=strict", *target)
        expected = expected / "build"  # the link tree, not the folders themselves
    run(python, "-m", "pip", "install", *OFFLINE, "--ignore-installed", *target, cwd=tmp_path)
    # -I: neither the working folder nor PYTHONPATH may help.
    probe = "import vfxgan, vfxgan.trainer, vfxgan.render.runtimes; print(vfxgan.__file__, vfxgan.trainer.__file__)"
    for file in run(python, "-I", "-c", probe, cwd=ROOT).split():
        assert Path(file).is_relative_to(expected)
    assert (tmp_path / "venv" / "bin" / "vfxgan").is_file()
