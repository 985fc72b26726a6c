"""An artist at Nuke's double: a saved script, panels that are answered, and the real `vfxgan` command behind them."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from double.nuke import Node

INIT = Path(__file__).parents[3] / "plugins" / "nuke"
Answer = Callable[[dict[str, Any]], bool]


@dataclass
class Artist:
    """Who answers panels and waits; `host`: the double's session."""

    host: Any
    folder: Path
    panels: list[dict[str, Any]] = field(default_factory=list)  # the values of each panel as it appeared
    titles: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)  # of the next panels; none left: cancel

    def on_panel(self, panel: Any) -> bool:
        knobs = panel.knobs()
        self.titles.append(panel._title)
        self.panels.append({name: knob._value for name, knob in knobs.items()})
        return self.answers.pop(0)(knobs) if self.answers else False

    def will_answer(self, **values: Any) -> None:
        """OK to the next panel, after these knobs were set."""

        def answer(knobs: dict[str, Any]) -> bool:
            for name, value in values.items():
                knobs[name].setValue(value)
            return True

        self.answers.append(answer)

    def will_cancel(self) -> None:
        self.answers.append(lambda knobs: False)

    def wait_for(self, until: Callable[[], bool]) -> None:
        """Nuke's main thread goes on meanwhile."""
        self.host.run_events(until, timeout_s=60)

    def wait_for_read(self, count: int = 1) -> Node:
        """Until so many Reads are there; the last of them."""
        self.wait_for(lambda: len(self.reads) >= count or self._has_said())
        assert len(self.reads) >= count, self.host.said
        read = self.reads[-1]
        assert isinstance(read, Node)
        return read

    def wait_for_word(self, count: int = 1) -> str:
        """Until so many messages were shown; the last of them."""
        self.wait_for(lambda: len(self.host.said) >= count)
        return str(self.host.said[-1])

    def _has_said(self) -> bool:
        return bool(self.host.said)

    def cancel(self) -> None:
        """Press the last bar's Cancel, and wait until what it stands for has ended."""
        self.host.tasks[-1]._is_cancelled = True
        threads = [thread for thread in threading.enumerate() if thread.name == "vfxgan-work"]
        self.wait_for(lambda: not any(thread.is_alive() for thread in threads))
        self.wait_for(self.host._events.empty)

    @property
    def reads(self) -> list[Any]:
        return [node for node in self.host.nodes if node._kind == "Read"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the shot."""
    folder = tmp_path / "sh010"
    folder.mkdir()
    return folder


@pytest.fixture
def artist(
    nuke: Callable[..., Any], command: Path, folder: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> Artist:
    """With a script `sh010_comp_v003.nk` of frames 1001 to 1004, and a tiny generator as the default model."""
    monkeypatch.setenv("VFXGAN_MODEL", str(tiny))
    host = nuke()
    save_script(host, folder / "sh010_comp_v003.nk")
    from double.unstubbed import PythonPanel

    artist = Artist(host, folder)
    PythonPanel.answer = staticmethod(artist.on_panel)
    return artist


def save_script(host: Any, path: Path, first: int = 1001, last: int = 1004) -> None:
    """What its Root holds."""
    root = host.root
    for name, value in (("name", str(path)), ("first_frame", first), ("last_frame", last)):
        root._knobs[name]._set(value)
    root._knobs["workingSpaceLUT"]._set("lin_rec709")


@pytest.fixture
def entries(artist: Artist) -> ModuleType:
    """vfxgan_nuke.entries, imported in that session."""
    from vfxgan_nuke import entries

    return entries


@pytest.fixture
def select(artist: Artist) -> Callable[..., Any]:
    """Add a node with these knobs and select it alone."""

    def add(kind: str, place: tuple[int, int] = (0, 0), **knobs: Any) -> Any:
        for node in artist.host.nodes:
            node._knobs["selected"]._set(False)
        node = artist.host.add_node(kind, **knobs)
        node._place = list(place)
        node._knobs["selected"]._set(True)
        return node

    return add


@pytest.fixture
def plate(folder: Path, tiny: Path, cli: Any) -> Path:
    """Four small frames, `plate/bg.1001.exr` and on."""
    out = folder / "plate" / "bg.%04d.exr"
    assert cli("render", tiny, "--seeds", "0-3", "--start-frame", "1001", "--out", out, "--progress", "none").code == 0
    return out


@pytest.fixture
def twice(artist: Artist, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default model: pictures twice as large, each pixel four times; a moment's work."""
    onnx = pytest.importorskip("onnx", reason="the train extra makes the tests' models")
    from onnx import TensorProto, helper

    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])
    graph = helper.make_graph(
        [helper.make_node("Resize", ["image", "", "scales"], ["picture"], mode="nearest")],
        "twice",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "out_height", "out_width"])],
        [scales],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    spec = {"spec_version": 1, "name": "twice", "kind": "upscaler", "architecture": "srresnet", "scale": 2}
    spec |= {"input": {"kind": "image", "channels": 3}, "channels_out": 3}
    spec |= {"encoding": {"name": "extended-srgb", "peak": 1.0}}
    entry = model.metadata_props.add()
    entry.key, entry.value = "vfxgan", json.dumps(spec)
    path = folder / "twice.onnx"
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path))
    monkeypatch.setenv("VFXGAN_MODEL", str(path))
    return path


@pytest.fixture
def seed_of(cli: Any) -> Callable[[str], int]:
    """The seed that a frame says it is of."""

    def read(frame: str) -> int:
        return int(json.loads(cli("inspect", frame, "--json").out)["recipe"]["seed"])

    return read


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The plug-in's folders, copied, so that nothing of this checkout helps it."""
    for name in ("nuke", "client"):
        shutil.copytree(INIT.parent / name, tmp_path / "plugins" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "plugins" / "nuke"
