"""OpenCue: specifications by its own library, held against its schema; run as its nodes do; sent to a stand-in."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from vfxgan.errors import UsageError
from vfxgan.farm.job import CHUNK, FarmJob, Step

pytest.importorskip("outline", reason="pyoutline is of the opencue extra")

from vfxgan.farm.opencue import FILE, Settings, specification, submit_opencue, write_opencue

# What may be in what, in which order: the content models and enumerations of OpenCue's cjsl-1.15.dtd that jobs can use.
CONTENT = {
    "spec": "facility?,dept?,show,shot,user,email?,uid?,job*,depends*",
    "job": "paused?,priority?,maxretries?,maxcores?,maxgpus?,autoeat?,localbook?,os?,env*,layers?",
    "layers": "layer+",
    "layer": "cmd,range,chunk,cores?,threadable?,memory?,gpus?,gpu?,gpu_memory?,timeout?,timeout_llu?,tags?,limits?,"
    "env*,services?,outputs*",
    "env": "key*",
    "services": "service+",
    "outputs": "output*",
    "depends": "depend*",
    "depend": "depjob,deplayer?,depframe?,onjob,onlayer?,onframe?",
}
ATTRIBUTES = {"job": {"name"}, "layer": {"name", "type"}, "key": {"name"}, "depend": {"type", "anyframe"}}

TYPES = {
    "layer": {"Render", "Util", "Post"},
    "depend": {f"{one}_ON_{other}" for one in ("JOB", "LAYER", "FRAME") for other in ("JOB", "LAYER", "FRAME")}
    | {"FRAME_BY_FRAME", "PREVIOUS_FRAME", "LAYER_ON_SIM_FRAME"},
}


def check_schema(element: ElementTree.Element) -> None:
    """Raise what is not as the schema has it."""
    names = "".join(f"{child.tag}," for child in element)
    model = re.sub(r"(\w+)([?*+]?),?", r"(?:\1,)\2", CONTENT.get(element.tag, ""))
    assert re.fullmatch(model, names), f"{element.tag} has {names}"
    assert set(element.attrib) == ATTRIBUTES.get(element.tag, set())
    assert all(re.fullmatch(r"[\w.:-]+", value) for value in element.attrib.values())
    assert element.tag not in TYPES or element.get("type") in TYPES[element.tag]
    for child in element:
        check_schema(child)


def job_of(*command: str, frames: tuple[int, ...] = tuple(range(30)), **fields: Any) -> FarmJob:
    steps = (
        Step("Engine", ("vfxgan", "export", "m.onnx", "--trt")),
        Step("Render", command, frames, 10, timeout_s=90, needs=("Engine",)),
        Step("Verify", ("vfxgan", "verify", "o"), needs=("Render",)),
    )
    return FarmJob("Shot 010 – 'x'", steps, **fields)


def parsed(job: FarmJob, settings: Settings | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(specification(job, settings or Settings()))


def test_a_specification_is_as_the_schema_has_it_and_says_what_was_asked_for(tmp_path: Path) -> None:
    job = job_of("vfxgan", "--frames", CHUNK, cores=3, gpus=1, priority=70, retries=1, environment=(("A", "b <c>"),))
    (path,) = write_opencue(job, tmp_path)
    assert "cjsl-1.15.dtd" in path.read_text().partition("<spec>")[0]
    spec = ElementTree.fromstring(path.read_text())
    check_schema(spec)
    assert spec.findtext("job/priority") == "70"
    assert spec.findtext("job/maxretries") == "1"
    assert spec.find("job").attrib == {"name": "shot_010_x"}  # type: ignore[union-attr]
    engine, render, verify = spec.findall("job/layers/layer")
    told = {child.tag: child.text for child in render if child.text}
    assert told == {
        "cmd": "vfxgan --frames '#FRAMESPEC#'",
        "range": "0-29",
        "chunk": "10",
        "cores": "3.0",
        "threadable": "True",
        "gpus": "1",
        "gpu_memory": "1g",
        "timeout": "2",
    }
    assert render.findtext("env/key[@name='A']") == "b <c>"
    assert (engine.findtext("range"), engine.findtext("chunk")) == ("1", "1")
    assert verify.find("gpus") is None
    depends = [(one.findtext("deplayer"), one.findtext("onlayer"), one.get("type")) for one in spec.iter("depend")]
    assert depends == [("Render", "Engine", "LAYER_ON_LAYER"), ("Verify", "Render", "LAYER_ON_LAYER")]


def test_a_file_that_is_only_written_has_the_show_that_was_asked_for(cli: Any, tiny: Path) -> None:
    words = ("--seeds", "0-9", "--out", "o/####.exr", "--extra=--show=dune", "--extra=--shot=sh010", "--write-only")
    assert cli("submit", "--to", "opencue", tiny, *words).code == 0
    spec = ElementTree.parse("farm/o/job.xml").getroot()
    assert (spec.findtext("show"), spec.findtext("shot")) == ("dune", "sh010")


def test_nothing_is_written_to_the_users_home_and_nothing_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "from pathlib import Path; from vfxgan.farm.job import *; from vfxgan.farm.opencue import *\n"
        "write_opencue(FarmJob('abc', (Step('Render', ('true', CHUNK), (1, 2, 3), 2),)), Path('.'))"
    )
    monkeypatch.setenv("HOME", str(home))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / FILE).is_file()
    assert not list(home.iterdir())


def test_chunks_as_a_node_runs_them_make_the_frames_of_one_render(
    cli: Any, on_path: None, tiny: Path, tmp_path: Path, frames_of: Any
) -> None:
    from FileSequence import FrameSet  # OpenCue's own, as its server cuts ranges

    odd = tmp_path / 'it\'s  a "shot"; `touch pwned` & é'
    render = ("render", str(tiny), "--seeds", "0-8x2,20-26")
    assert cli(*render, "--out", tmp_path / "whole" / "####.exr").code == 0
    frames = (*range(0, 9, 2), *range(20, 27))
    command = ("vfxgan", *render, "--out", str(odd / "####.exr"), "--progress", "none", "--frames", CHUNK)
    layer = parsed(FarmJob("abc", (Step("Render", command, frames, 5),))).find("job/layers/layer")
    assert layer is not None
    numbers = FrameSet(layer.findtext("range")).getAll()
    assert numbers == list(frames)
    chunk = int(layer.findtext("chunk", ""))
    for start in range(0, len(numbers), chunk):
        part = FrameSet(",".join(map(str, numbers[start : start + chunk])))
        part.normalize()
        file = tmp_path / "rqd-cmd"  # a file without a first line, which the system gives to sh
        file.write_text(layer.findtext("cmd", "").replace("#FRAMESPEC#", str(part)))
        done = subprocess.run(["sh", str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done
    assert frames_of(odd) == frames_of(tmp_path / "whole")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (job_of("vfxgan", "/a/#JOB#/x"), "#JOB# means something to OpenCue"),
        (job_of("vfxgan", CHUNK, frames=(-2, 5)), "outside 0 … 999999"),
        (job_of("vfxgan", CHUNK, frames=(1_000_000,)), "outside 0 … 999999"),
        (job_of("vfxgan", "x" * 4001), "4008 characters, and Cuebot keeps 4000"),
        (job_of("vfxgan", CHUNK, frames=tuple(n * n for n in range(800))), "the list of frames of Render has"),
        (job_of("vfxgan", system="windows"), "the farm's nodes run windows"),
    ],
)
def test_what_cuebot_would_refuse_or_misread_is_refused_at_submission(job: FarmJob, reason: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)):
        specification(job, Settings())


@pytest.fixture
def cuebot(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server on the loopback that takes specifications as Cuebot does, and keeps them."""
    grpc = pytest.importorskip("grpc")
    from opencue import Cuebot
    from opencue_proto import cue_pb2, cue_pb2_grpc, job_pb2, job_pb2_grpc

    taken: list[str] = []

    class Jobs(job_pb2_grpc.JobInterfaceServicer):  # type: ignore[misc]
        def LaunchSpecAndWait(self, request: Any, context: Any) -> Any:  # noqa: N802 - OpenCue's name
            spec = ElementTree.fromstring(request.spec)
            if spec.findtext("show") == "unknown":
                context.abort(grpc.StatusCode.INTERNAL, "The unknown does not exist. Please contact\nadministrator")
            taken.append(request.spec)
            name = f"{spec.findtext('show')}-{spec.findtext('shot')}-me_{spec.find('job').get('name')}"
            return job_pb2.JobLaunchSpecAndWaitResponse(jobs=job_pb2.JobSeq(jobs=[job_pb2.Job(id="1", name=name)]))

    class Cue(cue_pb2_grpc.CueInterfaceServicer):  # type: ignore[misc]
        def GetSystemStats(self, request: Any, context: Any) -> Any:  # noqa: N802
            return cue_pb2.CueGetSystemStatsResponse()

    with futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        job_pb2_grpc.add_JobInterfaceServicer_to_server(Jobs(), server)
        cue_pb2_grpc.add_CueInterfaceServicer_to_server(Cue(), server)
        monkeypatch.setenv("CUEBOT_HOSTS", f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
        server.start()
        yield taken
        Cuebot.closeChannel()
        server.stop(None).wait()


def test_a_submission_is_launched_with_the_words_that_were_given(cli: Any, tiny: Path, cuebot: list[str]) -> None:
    line = ("submit", "--to", "opencue", tiny, "--seeds", "0-29", "--out", "o/####.exr")
    words = ("--extra=--show=dune", "--extra=--shot=sh010", "--extra=--tags=general|cloud", "--extra=--service=gan")
    result = cli(*line, *words)
    assert result.code == 0, result
    assert result.out.splitlines()[-1] == "o: dune-sh010-me_o_job"
    (text,) = cuebot
    assert text == (Path("farm") / "o" / FILE).read_text()
    spec = ElementTree.fromstring(text)
    check_schema(spec)
    assert spec.findtext("job/layers/layer[@name='Render']/tags") == "general | cloud"
    assert spec.findtext("job/layers/layer[@name='Render']/services/service") == "gan"
    assert len(spec.findall("job/layers/layer")) == 2
    refused = cli(*line, "--extra=--show=unknown")
    assert refused.code == 1
    assert "OpenCue: " in refused.line
    assert "The unknown does not exist. Please contact administrator" in refused.line


def test_without_a_cuebot_the_file_is_written_and_the_line_says_how_to_name_one(
    cli: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CUEBOT_HOSTS", "OPENCUE_CONFIG_FILE", "OPENCUE_CONF"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    line = ("submit", "--to", "opencue", tiny, "--seeds", "0-29", "--out", "o/####.exr")
    result = cli(*line)
    assert result.code == 1
    assert "no Cuebot is configured: set CUEBOT_HOSTS=" in result.line
    assert (tmp_path / "farm" / "o" / FILE).is_file()
    assert cli(*line, "--write-only").code == 0


@pytest.mark.parametrize("word", ["gpu", "--pause", "--show=", "--show=a b", "--show=ab"])
def test_words_that_opencue_does_not_take_are_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--extra"):
        submit_opencue(job_of("vfxgan", CHUNK), tmp_path, [word])


def test_without_the_library_its_extra_is_named(cli: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "outline", None)
    result = cli("submit", "--to", "opencue", tiny, "--seeds", "0-29", "--out", "o/####.exr")
    assert result.code == 1
    assert "--to opencue needs it: pip install 'vfxgan[opencue]'" in result.line


def test_the_line_on_the_page_of_farms_writes_the_job(cli: Any, page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = (line for line in page("farm.md").text.splitlines() if line.startswith("vfxgan submit --to opencue"))
    result = cli(*shlex.split(line)[1:])
    assert result.code == 0, result
    assert result.out.strip() == str(Path("farm/dust") / FILE)
