"""The client and a hostile host: poisoned variables, odd paths, a child that is killed or speaks half a line."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hosts import (
    CLIENT,
    DRIVER,
    VFXGAN,
    kinds,
    last_event,
    lines_of,
    run_host,
    start_host,
    wait_for_end,
    waits_for_others,
)

RENDER = ["render", "elements", "--seeds", "0-1", "--out", "o/####.exr"]


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str], Path]:
    """A program that answers `--version` as vfxgan does, and then does what the code says."""

    def write(code: str, version: str = "vfxgan 0.1.0") -> Path:
        program = tmp_path / "stand-in"
        answer = f"if '--version' in sys.argv:\n    print({version!r})\n    sys.exit()\n"
        program.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{answer}{code}\n", encoding="utf-8")
        program.chmod(0o755)
        return program

    return write


@pytest.fixture
def poison(tmp_path: Path) -> dict[str, str]:
    """What a host's launcher sets for itself, and which would break another program."""
    modules, libraries = tmp_path / "modules", tmp_path / "libraries"
    modules.mkdir()
    for name in ("render", "core", "numpy", "vfxgan", "typer", "sitecustomize"):
        (modules / f"{name}.py").write_text(
            f"raise ImportError('the {name} of the host was loaded')\n", encoding="utf-8"
        )
    libraries.mkdir()
    _broken_library(libraries / "libstdc++.so.6")
    return {
        "PYTHONPATH": str(modules),
        "PYTHONHOME": str(modules),
        "PYTHONSTARTUP": str(modules / "render.py"),
        "PYTHONINSPECT": "1",
        "LD_LIBRARY_PATH": str(libraries),
        "QT_PLUGIN_PATH": str(libraries),
        "QT_QPA_PLATFORM": "offscreen-of-the-host",
        "OIIO_LIBRARY_PATH": str(libraries),
    }


def _broken_library(path: Path) -> None:
    """A libstdc++ that is too old to have what others need of it: a real, empty library where there is a compiler."""
    compiler = shutil.which("gcc")
    if compiler is None:
        path.write_bytes(b"")
        return
    subprocess.run([compiler, "-shared", "-o", str(path), "-x", "c", "/dev/null"], check=True)


def test_a_poisoned_host_renders_all_the_same(poison: dict[str, str], tmp_path: Path) -> None:
    answer, *told = run_host(environment=poison, ask=["models", "--json"], arguments=RENDER, folder=str(tmp_path))
    assert answer.answer[0]["name"] == "elements"
    assert last_event(told).facts == {"done": 2, "total": 2}


def test_what_is_meant_for_the_host_itself_is_dropped_and_all_else_is_kept(host_paths: list[Path]) -> None:
    from vfxgan_client import clean_environment

    of_the_host = ["PYTHONPATH", "PYTHONINSPECT", "__PYVENV_LAUNCHER__", "LD_PRELOAD", "LD_LIBRARY_PATH"]
    of_the_host += ["DYLD_INSERT_LIBRARIES", "QT_PLUGIN_PATH", "QML2_IMPORT_PATH", "OIIO_LIBRARY_PATH"]
    of_the_host += ["VFXGAN_STOP_WITH_STDIN"]
    meant = ["OCIO", "PATH", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES", "NUKE_PATH", "VFXGAN_PROJECT", "OIIO_THREADS"]
    cleaned = clean_environment(dict.fromkeys([*of_the_host, *meant], "x"))
    assert cleaned == {**dict.fromkeys(meant, "x"), "PYTHONUTF8": "1"}


@pytest.mark.parametrize("kept", ["PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH"])
def test_each_poison_alone_would_break_it(poison: dict[str, str], tmp_path: Path, kept: str) -> None:
    told = run_host(environment={**poison, "VFXGAN_KEEP_ENV": kept}, arguments=RENDER, folder=str(tmp_path))
    assert "Finished" not in kinds(told)
    assert not (tmp_path / "o").exists()


def test_a_variable_that_the_command_needs_is_kept_or_restored(stand_in: Callable[[str], Path], tmp_path: Path) -> None:
    names = ("LD_LIBRARY_PATH", "PYTHONPATH", "OCIO", "QT_PLUGIN_PATH", "CUDA_VISIBLE_DEVICES")
    program = stand_in(f"print({{name: os.environ.get(name) for name in {names!r}}}, file=sys.stderr); sys.exit(1)")
    host = {
        "VFXGAN_KEEP_ENV": "PYTHONPATH, LD_LIBRARY_PATH=STUDIO_LIBRARIES, NOT_SET",
        "PYTHONPATH": "/studio",
        "LD_LIBRARY_PATH": "/host",
        "STUDIO_LIBRARIES": "/users/own",
        "OCIO": "/studio/config.ocio",
        "QT_PLUGIN_PATH": "/host",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    reason = last_event(run_host(environment=host, program=program, arguments=[], folder=str(tmp_path))).reason
    assert reason == str(
        {
            "LD_LIBRARY_PATH": "/users/own",
            "PYTHONPATH": "/studio",
            "OCIO": "/studio/config.ocio",
            "QT_PLUGIN_PATH": None,
            "CUDA_VISIBLE_DEVICES": "1",
        }
    )


ODD = ['it\'s a "cut"; touch made', "`touch made` && a|b", "größe-日本", "-v", "two\nlines"]


@pytest.mark.parametrize("name", ODD)
def test_frames_land_in_an_odd_folder_and_nothing_else_is_made(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    arguments = ["render", "elements", "--seeds", "0", "--out", f"{folder}/{name}/####.exr"]
    told = run_host(arguments=arguments, folder=str(folder))
    assert last_event(told).kind == "Finished"
    (frame,) = (each.path for each in told if each.kind == "FrameDone")
    assert frame == str(folder / name / "0000.exr")
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == [Path(frame)]


@pytest.mark.parametrize(("name", "why"), [("$(touch made)", "padding belongs"), ("a>made", "cannot hold < or >")])
def test_a_folder_that_means_something_to_patterns_is_refused(tmp_path: Path, name: str, why: str) -> None:
    arguments = ["render", "elements", "--seeds", "0", "--out", f"{name}/####.exr"]
    end = last_event(run_host(arguments=arguments, folder=str(tmp_path)))
    assert end.code == 2
    assert why in end.reason
    assert list(tmp_path.iterdir()) == []


def test_a_path_upward_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "script").mkdir()
    arguments = ["render", "elements", "--seeds", "0", "--out", "../out/../out/####.exr"]
    told = run_host(arguments=arguments, folder=str(tmp_path / "script"))
    assert last_event(told).kind == "Finished"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "out" / "0000.exr"]


def test_an_argument_that_no_program_can_be_given_is_one_line(tmp_path: Path) -> None:
    (told,) = run_host(arguments=["render", "--out", "a\0b"], folder=str(tmp_path))
    assert told.kind == "ClientError"
    assert told.message == f"{VFXGAN} cannot be started (embedded null byte)"


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (told,) = run_host(arguments=RENDER, folder=str(tmp_path / "gone"))
    assert told.facts == {"message": f"{tmp_path}/gone is no folder, and vfxgan was to run there"}


@pytest.mark.parametrize("number", ["SIGKILL", "SIGSEGV"])
def test_a_child_that_is_killed_says_by_what(stand_in: Callable[[str], Path], number: str) -> None:
    program = stand_in(
        'print(\'{"event": "progress", "done": 7, "total": 9, "fps": 1.0, "eta_s": 2.0}\', flush=True)\n'
        f"os.kill(os.getpid(), signal.{number})"
    )
    end = last_event(run_host(program=program, arguments=[]))
    assert end.reason == f"vfxgan was killed by {number}; frames that are done are whole, and the same run goes on"
    assert (end.done, end.total) == (7, 9)
    assert end.code < 0


def test_a_render_that_is_killed_from_outside_is_reported(tmp_path: Path) -> None:
    import os
    import signal

    arguments = ["render", "elements", "--seeds", "0-3999", "--out", "o/####.exr"]
    with start_host(sys.executable, arguments=arguments, folder=str(tmp_path)) as host:
        told = lines_of(host)
        pid = next(each for each in told if each.kind == "Pid").pid
        next(each for each in told if each.kind == "FrameDone")
        os.kill(pid, signal.SIGKILL)
        end = last_event(list(told))
    assert end.code == -signal.SIGKILL
    assert end.done >= 1


def test_half_a_line_of_json_is_no_event(stand_in: Callable[[str], Path]) -> None:
    whole = '{"event": "started", "label": "render", "total": 5}'
    program = stand_in(f"sys.stdout.write({whole!r} + '\\n' + {whole[:30]!r}); sys.stdout.flush(); os._exit(1)")
    told = run_host(program=program, arguments=[])
    assert kinds(told) == ["Pid", "Started", "Failed", "End"] or kinds(told) == ["Started", "Pid", "Failed", "End"]
    assert last_event(told).reason == "vfxgan ended with exit code 1, and said nothing"


NO_EVENTS = [
    b"hello",
    b"[1, 2]",
    b"{}",
    b'{"event": "dance"}',
    b'{"event": "progress"}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
]
NO_EVENTS += [b'{"event": "started", "label": 1, "total": "many"}', b'{"event": "progress", "done": 1e999, "total": 2}']


def test_what_is_no_event_is_passed_over(stand_in: Callable[[str], Path]) -> None:
    lines = b"\n".join([*NO_EVENTS, b'{"event": "finished", "done": 3, "total": 3}', b""])
    program = stand_in(f"os.write(1, {lines!r})") if len(lines) < 5000 else stand_in(_from_file(lines))
    told = run_host(program=program, arguments=[])
    assert set(kinds(told)) == {"Pid", "Finished", "End"}
    assert last_event(told).facts == {"done": 3, "total": 3}


def _from_file(data: bytes) -> str:
    Path("lines").write_bytes(data)
    return f"sys.stdout.buffer.write(open({str(Path('lines').absolute())!r}, 'rb').read())"


def test_a_line_of_absurd_length_costs_no_memory(stand_in: Callable[[str], Path]) -> None:
    program = stand_in(
        "for n in range(300): sys.stdout.write('x' * (1 << 20)); sys.stderr.write('y' * (1 << 20))\n"
        'print(\'\\n{"event": "finished", "done": 1, "total": 1}\')'
    )
    code = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    code += "; print(*(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line), file=sys.stderr)"
    job = f'{{"program": "{program}", "arguments": []}}'
    command = [sys.executable, "-I", "-S", "-c", code, str(DRIVER), str(CLIENT), job]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"a line was too long"' in done.stdout
    assert '"Finished"' in done.stdout
    assert int(done.stderr) < 100 << 10, "KiB, where 600 MiB were printed"


def test_a_reason_comes_from_stderr_where_no_json_did(stand_in: Callable[[str], Path]) -> None:
    program = stand_in("sys.stderr.buffer.write(b'a\\nvfxgan: no disk \\xff\\na library says bye\\n'); sys.exit(1)")
    assert last_event(run_host(program=program, arguments=[])).reason == "no disk \N{REPLACEMENT CHARACTER}"


@waits_for_others
def test_a_child_that_does_not_stop_is_killed_after_the_grace_with_all_it_forked(
    stand_in: Callable[[str], Path],
) -> None:
    line = '{"event": "progress", "done": 1, "total": 2, "fps": 1, "frame": %d, "path": "a", "state": "rendered"}'
    program = stand_in(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nforked = os.fork()\n"
        f"if forked: print({line!r} % forked, flush=True)\nsignal.pause()"
    )
    told = run_host(program=program, arguments=[], cancel_after=1, grace_s=0.2)
    assert last_event(told).facts == {"done": 1, "total": 2}
    assert last_event(told).kind == "Cancelled"
    wait_for_end(next(each.number for each in told if each.kind == "FrameDone"))


def test_someone_who_keeps_the_pipes_of_a_dead_child_does_not_hold_up_its_end(stand_in: Callable[[str], Path]) -> None:
    program = stand_in("if os.fork() == 0:\n    os.setsid(); signal.alarm(60); signal.pause()\nos._exit(3)")
    end = last_event(run_host(program=program, arguments=[]))
    assert end.code == 3


@pytest.mark.parametrize("seeds", ["0-1", "0-3999"])
def test_a_host_that_ignores_its_children_is_told_how_they_ended(tmp_path: Path, seeds: str) -> None:
    """The system then keeps no exit codes, and Python takes each for 0."""
    arguments = ["render", "elements", "--seeds", seeds, "--out", "o/####.exr"]
    told = run_host(arguments=arguments, folder=str(tmp_path), ignores_children=True, cancel_after=3)
    assert last_event(told).kind == ("Finished" if seeds == "0-1" else "Cancelled")


def test_such_a_host_sees_a_child_that_was_killed_and_one_that_failed(stand_in: Callable[[str], Path]) -> None:
    started = '{"event": "started", "label": "render", "total": 5}'
    killed = stand_in(f"print({started!r}, flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    end = last_event(run_host(program=killed, arguments=[], ignores_children=True))
    assert (end.kind, end.code, end.reason) == ("Failed", 1, "vfxgan ended with exit code 1, and said nothing")
    told = run_host(arguments=["render", "elements", "--seeds", "x", "--out", "####.exr"], ignores_children=True)
    assert "is not a range of seeds" in last_event(told).reason


def test_a_studios_wrapper_around_the_command_is_cancelled_with_it(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\n"{VFXGAN}" "$@"\ncode=$?\nexit $code\n', encoding="utf-8")
    wrapper.chmod(0o755)
    arguments = ["render", "elements", "--seeds", "0-3999", "--out", "o/####.exr"]
    end = last_event(run_host(program=wrapper, arguments=arguments, folder=str(tmp_path), cancel_after=1))
    assert (end.kind, end.total) == ("Cancelled", 4000)
    assert len(list((tmp_path / "o").iterdir())) == end.done < 4000
