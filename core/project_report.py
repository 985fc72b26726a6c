"""A project's settings as people read them: value and origin of each."""

import os
from dataclasses import dataclass
from typing import Any

from vfxgan.path_map import SYSTEMS
from vfxgan.project import Project
from vfxgan.project_file import Settings
from vfxgan.project_keys import KEYS
from vfxgan.versions import Target

# What stands above the file, where it is set.
VARIABLES = {"model": "VFXGAN_MODEL", "upscaler": "VFXGAN_MODEL", "ocio": "OCIO"}
BUILT_IN = "built-in"


@dataclass(frozen=True)
class Setting:
    """One setting that holds.

    Attributes:
        origin: `vfxgan.toml:3`, `$OCIO`, or `built-in`.
    """

    name: str
    value: Any
    origin: str


def settings_that_hold(project: Project) -> list[Setting]:
    """Each key, in the order of the documentation; value None where a command decides."""
    return [_setting(project, key.name, key.default) for key in KEYS]


def settings_of_file(project: Project) -> list[Setting]:
    """Those that the file sets, also where the environment has another value."""
    settings = project.settings
    return (
        []
        if settings is None
        else [_of_file(project, settings, key.name) for key in KEYS if key.name in settings.values]
    )


def settings_of(project: Project) -> dict[str, Any]:
    """The same as plain data, in the file's own tables, and the path map's rows."""
    data: dict[str, Any] = {}
    for setting in settings_that_hold(project):
        *tables, key = setting.name.split(".")
        table = data
        for name in tables:
            table = table.setdefault(name, {})
        table[key] = setting.value
    data["paths"] = [
        {system: row.on(system) for system in SYSTEMS if row.on(system) is not None} for row in project.path_map.rows
    ]
    return data


def report(project: Project, target: Target | None, lacks: str, problems: list[str]) -> list[str]:
    """The lines of `vfxgan project`; lacks: why there is no target, though there is a convention."""
    lines = [f"{'file':24s} {project.file or 'none: no vfxgan.toml here or above; docs/project.md has an example'}"]
    for setting in settings_that_hold(project):
        if setting.value is not None and (setting.origin != BUILT_IN or project.file is not None):
            lines.append(f"{setting.name:24s} {_said(setting.value)}  ({setting.origin})")
    for place, row in enumerate(project.path_map.rows):
        sides = ", ".join(f"{system} {row.on(system)}" for system in SYSTEMS if row.on(system) is not None)
        lines.append(f"{'paths':24s} {sides}  ({project.line(f'paths.{place}')})")
    if target is not None or lacks:
        lines.append(f"{'frames':24s} {lacks if target is None else target.out}")
    return lines + [f"{'PROBLEM':24s} {problem}" for problem in problems]


def _setting(project: Project, name: str, default: Any) -> Setting:
    variable = VARIABLES.get(name)
    from_environment = os.environ.get(variable) if variable else None
    if from_environment:
        return Setting(name, from_environment, f"${variable}")
    settings = project.settings
    if settings is None or name not in settings.values:
        return Setting(name, default, BUILT_IN)
    return _of_file(project, settings, name)


def _of_file(project: Project, settings: Settings, name: str) -> Setting:
    held = {
        "model": project.model,
        "upscaler": project.upscaler,
        "ocio": project.ocio,
        "output.pattern": project.output,
    }
    value = str(project.root) if name == "output.root" else held.get(name, settings.values[name])
    return Setting(name, value, f"{settings.file.name}:{settings.line(name)}")


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
