"""The project file, `vfxgan.toml`: what a shot's commands, plugins and farm jobs share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vfxgan.convention import Values, fill
from vfxgan.errors import UsageError
from vfxgan.no_project import is_ignored
from vfxgan.path_map import PathMap
from vfxgan.project_file import Settings, locate, read_settings
from vfxgan.project_keys import BY_NAME, ENGINES


@dataclass(frozen=True)
class FarmSettings:
    """The table `[farm]`, with its defaults.

    Attributes:
        to: the engine; None: `submit --to` must say.
        command: the `vfxgan` of the farm.
        system: of its nodes, for `PathMap.to`.
        chunk: frames of a task; None: submit's own default.
        target_seconds: of a task; None: tasks keep their size.
        priority: 0 … 100.
        partition: of Slurm.
        queue: of AWS Deadline Cloud, its id.
        extra: words of the table `[farm.extra]`, by engine; all engines are in it.
    """

    to: str | None = None
    command: str = "vfxgan"
    system: str = "linux"
    chunk: int | None = None
    target_seconds: int | None = None
    priority: int = 50
    retries: int = 2
    partition: str | None = None
    queue: str | None = None
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict.fromkeys(ENGINES, ()))

    def words(self, engine: str) -> tuple[str, ...]:
        """Options for the command that submits to the engine; those of `extra` come last, where they win."""
        named = {"slurm": ("--partition", self.partition), "deadline": ("--queue-id", self.queue)}
        option, value = named.get(engine, ("", None))
        return (*((f"{option}={value}",) if value else ()), *self.extra.get(engine, ()))


@dataclass(frozen=True)
class Project:
    """The settings as they hold here: paths are this system's, and whole.

    Attributes:
        file: that they are from; None: there is none, and all is as without one.
        model, upscaler: a whole path, or the name of a packaged model.
        ocio: a whole path, or `ocio://…`.
        output: the pattern as it is written; None: there is no convention.
        root: folder that the pattern starts from.
        shot: of the file, where a command names none.
        view: what `{view}` is for pictures that have no views in their path.
        settings: the file itself, for lines and problems.
    """

    file: Path | None = None
    model: str | None = None
    upscaler: str | None = None
    colorspace: str | None = None
    in_colorspace: str | None = None
    ocio: str | None = None
    bit_depth: str | None = None
    compression: str | None = None
    runtime: str | None = None
    cpu_isa: str | None = None
    threads: int | None = None
    output: str | None = None
    root: Path = field(default_factory=Path)
    shot: str | None = None
    view: str = "main"
    version_digits: int = 3
    path_map: PathMap = field(default_factory=PathMap)
    farm: FarmSettings = field(default_factory=FarmSettings)
    settings: Settings | None = field(default=None, repr=False)

    def target(self, shot: str | None, version: int | str | None, view: str | None, model: str | None) -> str:
        """The output convention, filled in.

        Args:
            shot: None: the file's.
            version: 3 or "v003"; "next" and "latest" are `convention.find_version`'s.
            view: a name, or "%V" for one file each; None: the file's.
            model: its name, made safe for a file's name where it is not; needed where the pattern has `{model}`.
        Returns:
            A whole path with padding, such as `/show/renders/sh010/v003/sh010_v003.####.exr`.
        Raises:
            UsageError: no convention, or a token's value is missing or cannot be in a path.
        """
        return str(self.root / fill(self.convention(), self.values(shot, version, view, model)))

    def values(self, shot: str | None, version: int | str | None, view: str | None, model: str | None) -> Values:
        """The same, before they are filled in."""
        return Values(
            self.shot if shot is None else shot,
            version,
            self.view if view is None else view,
            model,
            self.version_digits,
        )

    def convention(self, otherwise: str = "give --out 'shot010/####.exr'") -> str:
        """The pattern; UsageError where there is none, with what to do otherwise."""
        if self.output is not None:
            return self.output
        where = f"{self.file} has no output.pattern" if self.file else "there is no vfxgan.toml with an output.pattern"
        raise UsageError(f"{where}; {otherwise}, or add the pattern")

    def line(self, name: str) -> str:
        """`vfxgan.toml:12`, where a key stands, for messages."""
        return f"{self.file}:{self.settings.line(name)}" if self.settings else "vfxgan.toml"


def find_project() -> Project:
    """The project of the working folder; all defaults where there is no file.

    Raises:
        UsageError: the file cannot be read, or a key in it is wrong: with its line, and the first few in one message.
    """
    project = look_for_project()
    if project.settings is not None:
        project.settings.refuse_problems()
    return project


def look_for_project() -> Project:
    """The same, with what is right in the file; the rest is in `.settings.problems`.

    Raises:
        UsageError: the file cannot be read.
    """
    file = None if is_ignored() else locate()
    return Project() if file is None else _project(read_settings(file))


def _project(settings: Settings) -> Project:
    values, folder, path_map = settings.values, settings.file.parent, PathMap(settings.rows)

    def whole(name: str) -> str | None:
        text = values.get(name)
        return None if text is None else str(folder / Path(path_map.local(text)).expanduser())

    def named(name: str) -> str | None:
        """Something that has names beside its files."""
        text = values.get(name)
        is_name = text is not None and (text.startswith("ocio://") or (Path(text).name == text and "." not in text))
        return text if is_name and not (folder / str(text)).exists() else whole(name)

    plain = ("colorspace", "in_colorspace", "bit_depth", "compression", "runtime", "cpu_isa", "threads")
    return Project(
        file=settings.file,
        model=named("model"),
        upscaler=named("upscaler"),
        ocio=named("ocio"),
        **{name: values.get(name) for name in plain},
        output=_pattern(values, path_map),
        root=Path(whole("output.root") or folder),
        shot=values.get("output.shot"),
        view=_value(values, "output.view"),
        version_digits=_value(values, "output.version_digits"),
        path_map=path_map,
        farm=_farm(values),
        settings=settings,
    )


def _pattern(values: Mapping[str, Any], path_map: PathMap) -> str | None:
    text = values.get("output.pattern")
    return None if text is None else path_map.local(text).replace("\\", "/")  # Windows takes both


def _farm(values: Mapping[str, Any]) -> FarmSettings:
    names = ("to", "command", "system", "chunk", "target_seconds", "priority", "retries", "partition", "queue")
    extra = {engine: tuple(values.get(f"farm.extra.{engine}", ())) for engine in ENGINES}
    return FarmSettings(**{name: _value(values, f"farm.{name}") for name in names}, extra=extra)


def _value(values: Mapping[str, Any], name: str) -> Any:
    return values.get(name, BY_NAME[name].default)
