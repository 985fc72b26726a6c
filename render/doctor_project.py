"""Whether what `vfxgan.toml` says holds on this machine."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import OpenImageIO as oiio

from vfxgan.errors import ModelError, UsageError, VfxganError
from vfxgan.image_writing import check_compression
from vfxgan.modelfile import model_of_project, read_model
from vfxgan.path_map import WINDOWS, looks_like_windows, this_system
from vfxgan.project import Project, look_for_project
from vfxgan.project_report import VARIABLES, Setting, settings_of_file
from vfxgan.render.findings import Found
from vfxgan.render.request import usable_cores
from vfxgan.render.runtimes import installed
from vfxgan.render.spaces import conversion_of
from vfxgan.versions import choose_target

# Without these, a render that names nothing stops before the start.
_NEEDED = ("model", "colorspace", "ocio", "compression", "runtime")


def examine_project() -> Iterator[Found]:
    """The file, each setting in it with its value and line, and the folders that it counts on; raises nothing."""
    try:
        project = look_for_project()
    except VfxganError as error:
        yield Found("project file", False, str(error), needed=True)
        return
    if project.file is None or project.settings is None:
        yield Found("project file", True, "none, no vfxgan.toml here or above")
        return
    yield Found("project file", True, str(project.file))
    yield from (Found("project file", False, problem, needed=True) for problem in project.settings.problems)
    yield from (_setting(project, setting) for setting in settings_of_file(project))
    yield from _roots(project)


def _setting(project: Project, setting: Setting) -> Found:
    """A setting is shown with its own value also where the environment has another, which then is named."""
    look = _LOOKS.get(setting.name, _nothing)
    needed = setting.name in _NEEDED and not os.environ.get(VARIABLES.get(setting.name, ""))
    try:
        detail = look(project)
    except VfxganError as error:
        origin = "" if setting.origin in str(error) else f"  ({setting.origin})"
        return Found(f"  {setting.name}", False, f"{error}{origin}", needed, asked=True)
    value = " ".join(setting.value) if isinstance(setting.value, list) else str(setting.value)
    return Found(f"  {setting.name}", True, f"{value}{detail and f', {detail}'}  ({setting.origin})")


def _nothing(_project: Project) -> str:
    return ""


def _model(key: Literal["model", "upscaler"]) -> Callable[[Project], str]:
    def look(project: Project) -> str:
        path = model_of_project(project, key)
        if path is None:
            raise ModelError(f"{key}: no such model file; check the path")
        model = read_model(path)
        wins = ", but $VFXGAN_MODEL is set and wins" if os.environ.get("VFXGAN_MODEL") else ""
        return f"{model.spec.kind} {model.spec.name}, SHA-256 {model.sha256[:12]}…{wins}"

    return look


def _space(key: Literal["colorspace", "in_colorspace"]) -> Callable[[Project], str]:
    def look(project: Project) -> str:
        name = project.colorspace if key == "colorspace" else project.in_colorspace
        conversion = conversion_of(str(name), None if os.environ.get("OCIO") else project.ocio, key)
        return "as it is" if conversion is None else f"{conversion.space} of {conversion.config}"

    return look


def _ocio(project: Project) -> str:
    colours = oiio.ColorConfig(str(project.ocio))
    trouble = colours.geterror()
    if trouble:
        raise UsageError(f"{project.ocio}: {' '.join(trouble.split())}; correct the path")
    wins = ", but $OCIO is set and wins" if os.environ.get("OCIO") else ""
    return f"{len(colours.getColorSpaceNames())} spaces{wins}"


def _compression(project: Project) -> str:
    check_compression(str(project.compression))
    return ""


def _runtime(project: Project) -> str:
    name = str(project.runtime)
    if name == "auto":
        return "chosen at the start of a render"
    version = installed("onnxruntime-gpu" if name == "onnxruntime-cuda" else name)
    if version is None:
        raise UsageError(f"{name} is not installed here")
    return version


def _cpu_isa(project: Project) -> str:
    return "" if project.runtime == "openvino" else "for renders with --runtime openvino"


def _engine(project: Project) -> str:
    program = {"slurm": "sbatch", "deadline": "deadline"}.get(str(project.farm.to))
    if program is None:
        return ""
    found = shutil.which(program)
    if found is None:
        raise UsageError(f"{project.farm.to}: there is no {program} on PATH; submit from a machine that has it")
    return found


def _command(project: Project) -> str:
    """A name alone is looked up on each node; a path of this system is most likely a place that nodes share."""
    command, system = project.farm.command, this_system()
    if project.farm.system != system or not Path(command).is_absolute():
        return ""
    if shutil.which(command) is None:
        has = "cannot be run" if Path(command).exists() else "there is no such file"
        raise UsageError(f"{command}: {has} on this machine; check that the nodes have it")
    return ""


def _system(project: Project) -> str:
    """Whether the nodes can reach the folder that frames go below."""
    system, here = project.farm.system, str(project.root)
    there = project.path_map.to(system, here)
    if system != this_system() and looks_like_windows(there) != (system == WINDOWS):
        raise UsageError(f"{system}: no row of [[paths]] says what {here} is called there; add one")
    return "" if there == here else f"where frames go below {there}"


def _threads(project: Project) -> str:
    return f"{usable_cores()} cores are usable"


def _pattern(project: Project) -> str:
    """Where it leads, as far as that can be said without a shot and a model."""
    _check_root(project)
    pattern = str(project.output)
    if "{model}" in pattern or ("{shot}" in pattern and project.shot is None):
        return ""
    return f"the next is {choose_target(project, version='next' if '{version}' in pattern else None).out}"


def _check_root(project: Project) -> str:
    folder = project.root / str(project.output or "").partition("{")[0].rpartition("/")[0]
    there = next((part for part in (folder, *folder.parents) if part.exists()), Path("/"))
    if not there.is_dir():
        raise UsageError(f"{there}: is no folder, and frames are to go below it")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{there}: cannot be written to; check its permissions, or output.root")
    return "" if there == folder else f"made when first needed, in {there}"


def _roots(project: Project) -> Iterator[Found]:
    """Of the path map: what this system is to have."""
    system = this_system()
    for place, row in enumerate(project.path_map.rows):
        root, origin = row.on(system), f"{project.file and project.file.name}:{_line(project, place)}"
        if root is None:
            continue
        is_there = Path(root).is_dir()
        detail = root if is_there else f"{root}: no such folder on this machine; mount it, or correct the row"
        yield Found("  paths", is_there, f"{detail}  ({origin})", asked=True)


def _line(project: Project, row: int) -> int:
    assert project.settings is not None
    return project.settings.line(f"paths.{row}")


_LOOKS: dict[str, Callable[[Project], str]] = {
    "model": _model("model"),
    "upscaler": _model("upscaler"),
    "colorspace": _space("colorspace"),
    "in_colorspace": _space("in_colorspace"),
    "ocio": _ocio,
    "compression": _compression,
    "runtime": _runtime,
    "cpu_isa": _cpu_isa,
    "threads": _threads,
    "output.pattern": _pattern,
    "output.root": _check_root,
    "farm.to": _engine,
    "farm.command": _command,
    "farm.system": _system,
}
