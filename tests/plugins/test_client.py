"""Finding the vfxgan command, asking it, and what a host's callback may do."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hosts import VFXGAN, wait_for_end, waits_for_others


@pytest.fixture
def client(host_paths: list[Path]) -> ModuleType:
    import vfxgan_client

    return vfxgan_client


def program(folder: Path, says: str = "vfxgan 0.1.0", code: int = 0, name: str = "vfxgan") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\nprint({says!r})\nraise SystemExit({code})\n", encoding="utf-8")
    path.chmod(0o755)
    return path


class TestFinding:
    def test_the_setting_comes_before_the_variable_and_that_before_path(
        self, client: ModuleType, tmp_path: Path
    ) -> None:
        places = [program(tmp_path / name, f"vfxgan 0.{n}.0") for n, name in enumerate(["a", "b", "c"], 1)]
        environment = {"VFXGAN_COMMAND": str(places[1]), "PATH": str(tmp_path / "c")}
        assert client.find_command(str(places[0]), environment) == client.Command(str(places[0]), "0.1.0")
        assert client.find_command(None, environment) == client.Command(str(places[1]), "0.2.0")
        hooked = {"VFXGAN_INSTALLED_COMMAND": str(places[0])}
        assert client.find_command(None, {**hooked, **environment}).version == "0.2.0"
        assert client.find_command(None, {**hooked, "PATH": str(tmp_path / "c")}).version == "0.1.0"
        assert client.find_command("", {"PATH": str(tmp_path / "c")}) == client.Command(str(places[2]), "0.3.0")

    def test_the_real_command_is_found_on_path(self, client: ModuleType) -> None:
        import vfxgan

        found = client.find_command(environment={"PATH": str(VFXGAN.parent)})
        assert found == client.Command(str(VFXGAN), vfxgan.__version__)

    def test_none_at_all_says_where_to_name_one(self, client: ModuleType, tmp_path: Path) -> None:
        with pytest.raises(
            client.NotFound, match=r"^there is no vfxgan command on PATH; install it .* \$VFXGAN_COMMAND$"
        ):
            client.find_command(environment={"PATH": str(tmp_path)})

    def test_a_name_that_is_no_program_is_refused_with_who_named_it(self, client: ModuleType, tmp_path: Path) -> None:
        program(tmp_path / "a")
        (tmp_path / "text").write_text("no program", encoding="utf-8")
        on_path = {"PATH": str(tmp_path / "a")}
        with pytest.raises(
            client.NotFound, match=r"the setting names .*/gone as the vfxgan command, and there is no such"
        ):
            client.find_command(str(tmp_path / "gone"), on_path)
        with pytest.raises(
            client.NotFound, match=r"\$VFXGAN_COMMAND names the folder .*; name the vfxgan program in it"
        ):
            client.find_command(environment={**on_path, "VFXGAN_COMMAND": str(tmp_path)})
        with pytest.raises(client.NotFound, match="which is no program that may be run"):
            client.find_command(str(tmp_path / "text"), on_path)

    @pytest.mark.parametrize("name", ["~nobody-x/vfxgan", "x" * 5000, "a\0b"])
    def test_a_name_that_no_system_can_look_for_is_one_line(self, client: ModuleType, name: str) -> None:
        with pytest.raises(client.NotFound, match=r"^the setting names .{1,80} as the vfxgan command.*; correct it$"):
            client.find_command(name)

    def test_a_program_that_the_system_cannot_start_is_one_line(self, client: ModuleType, tmp_path: Path) -> None:
        path = program(tmp_path / "a")
        path.write_text("#!/nowhere/python\n", encoding="utf-8")
        with pytest.raises(client.NotFound, match=r"cannot be started \(.*No such file.*\); correct its path"):
            client.find_command(str(path))

    def test_a_batch_file_is_refused_for_the_shell_behind_it(self, client: ModuleType, tmp_path: Path) -> None:
        with pytest.raises(client.NotFound, match=r"is a batch file, which a shell would run; name vfxgan.exe itself"):
            client.find_command(str(program(tmp_path / "a", name="vfxgan.BAT")))

    def test_a_home_folder_is_understood(self, client: ModuleType, tmp_path: Path, monkeypatch: Any) -> None:
        path = program(tmp_path / "a")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert client.find_command("~/a/vfxgan").program == str(path)


class TestVersion:
    @pytest.mark.parametrize("says", ["vfxgan 0.1.0", "vfxgan 0.1", "vfxgan 1.0.0rc1", "vfxgan 0.2.0.dev3+g12"])
    def test_one_that_is_new_enough_is_taken(self, client: ModuleType, tmp_path: Path, says: str) -> None:
        assert client.find_command(str(program(tmp_path / "a", says))).version == says.split()[1]

    def test_an_older_one_is_refused_with_both_versions(self, client: ModuleType, tmp_path: Path) -> None:
        path = program(tmp_path / "a", "vfxgan 0.0.9")
        with pytest.raises(
            client.WrongVersion, match=r"is vfxgan 0\.0\.9, and this plug-in needs 0\.1\.0 or newer; upgrade"
        ):
            client.find_command(str(path))

    @pytest.mark.parametrize("says", ["Nuke 15.1v1", "", "vfxgan", "vfxgan one"])
    def test_something_else_by_that_name_is_refused(self, client: ModuleType, tmp_path: Path, says: str) -> None:
        with pytest.raises(client.WrongVersion, match=r"says .*, which is not vfxgan"):
            client.find_command(str(program(tmp_path / "a", says)))

    def test_one_that_is_broken_says_how(self, client: ModuleType, tmp_path: Path) -> None:
        with pytest.raises(client.ClientError, match=r"--version failed \(exit code 3\)"):
            client.find_command(str(program(tmp_path / "a", code=3)))

    def test_one_that_hangs_is_given_up(self, client: ModuleType, tmp_path: Path, monkeypatch: Any) -> None:
        path = program(tmp_path / "a")
        path.write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n", encoding="utf-8")
        monkeypatch.setattr("vfxgan_client.command.SAYS_VERSION_WITHIN_S", 0.3)
        with pytest.raises(client.ClientError, match="said nothing for 0 s"):
            client.find_command(str(path))


class TestAsking:
    def test_the_commands_own_line_is_the_error(self, client: ModuleType) -> None:
        command = client.Command(str(VFXGAN), "0.1.0")
        with pytest.raises(client.ClientError, match=r"^nothing: no such model file; check the path$"):
            client.ask(command, ["inspect", "--json", "nothing"])

    def test_an_answer_that_is_no_json_is_an_error(self, client: ModuleType, tmp_path: Path) -> None:
        command = client.Command(str(program(tmp_path / "a", "a table")), "0.1.0")
        with pytest.raises(client.ClientError, match=r"^vfxgan models --json answered what is no JSON: b'a table"):
            client.ask(command, ["models", "--json"])

    def test_no_answer_in_time_is_an_error_and_nothing_is_left(self, client: ModuleType, tmp_path: Path) -> None:
        path = program(tmp_path / "a")
        path.write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n", encoding="utf-8")
        with pytest.raises(client.ClientError, match=r"^vfxgan models gave no answer in 0.2 s; try it in a terminal$"):
            client.ask(client.Command(str(path), "0.1.0"), ["models"], timeout_s=0.2)

    def test_it_runs_in_the_folder_that_was_named(self, client: ModuleType, tmp_path: Path) -> None:
        path = program(tmp_path / "a")
        path.write_text(f"#!{sys.executable}\nimport json, os\nprint(json.dumps(os.getcwd()))\n", encoding="utf-8")
        assert client.ask(client.Command(str(path), "0.1.0"), [], folder=str(tmp_path)) == str(tmp_path)

    def test_a_question_that_is_withdrawn_is_ended_at_once(self, client: ModuleType, tmp_path: Path) -> None:
        command = client.Command(str(VFXGAN), "0.1.0")
        fifo = tmp_path / "slow.onnx"
        os.mkfifo(fifo)  # it waits there for whoever writes
        with pytest.raises(client.Withdrawn, match=r"^vfxgan inspect --json was cancelled$"):
            client.ask(command, ["inspect", "--json", str(fifo)], is_cancelled=lambda: True)
        assert issubclass(client.Withdrawn, client.ClientError)

    @waits_for_others
    def test_one_that_hears_no_signal_is_killed_with_all_it_started(
        self, client: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = program(tmp_path / "a")
        deaf = (
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nif os.fork() == 0:\n    os.symlink(str(os.getpid()), 'up')"
        )
        path.write_text(f"#!{sys.executable}\nimport os, signal\n{deaf}\nsignal.pause()\n", encoding="utf-8")
        monkeypatch.setattr(sys.modules["vfxgan_client.ask"], "GRACE_S", 0.2)
        with pytest.raises(client.Withdrawn):
            client.answer(client.Command(str(path), "0.1.0"), [], is_cancelled=lambda: os.path.lexists("up"))
        wait_for_end(int(Path("up").readlink().name))

    def test_one_that_answers_in_time_may_be_cancelled_at_any_time(self, client: ModuleType, tmp_path: Path) -> None:
        command = client.Command(str(program(tmp_path / "a", "[1]")), "0.1.0")
        assert client.ask(command, [], is_cancelled=lambda: False) == [1]


class TestRunning:
    @pytest.fixture
    def three_frames(self, client: ModuleType) -> Callable[..., Any]:
        command = client.Command(str(VFXGAN), "0.1.0")

        def make(on_event: Callable[[Any], None]) -> Any:
            return client.Run(command, ["render", "elements", "--seeds", "0-2", "--out", "o/####.exr"], on_event)

        return make

    def test_a_callback_that_raises_is_reported_once_and_the_run_goes_on(
        self, client: ModuleType, three_frames: Callable[..., Any], capfd: pytest.CaptureFixture[str]
    ) -> None:
        seen = []

        def on_event(event: Any) -> None:
            seen.append(event)
            raise LookupError("a bug of the panel")

        run = three_frames(on_event)
        run.start()
        assert run.wait() == client.Finished(3, 3)
        assert seen[-1] == client.Finished(3, 3)
        assert capfd.readouterr().err.count("LookupError: a bug of the panel") == 1

    def test_events_come_from_the_runs_own_thread_which_cannot_wait_for_itself(
        self, client: ModuleType, three_frames: Callable[..., Any]
    ) -> None:
        import threading

        threads, refused = set(), []

        def on_event(event: Any) -> None:
            threads.add(threading.current_thread())
            try:
                run.wait(0)
            except RuntimeError as error:
                refused.append(str(error))

        run = three_frames(on_event)
        run.start()
        run.wait()
        assert len(threads) == 1
        assert threading.current_thread() not in threads
        assert "was called from its own on_event" in refused[0]

    def test_it_is_started_once_and_a_cancel_out_of_turn_is_nothing(
        self, client: ModuleType, three_frames: Callable[..., Any]
    ) -> None:
        run = three_frames(lambda event: None)
        run.cancel()
        assert not run.is_running
        assert run.pid is None
        run.start()
        with pytest.raises(client.ClientError, match="this run was started before; make another one"):
            run.start()
        assert run.wait() == client.Finished(3, 3)
        run.cancel()
        assert run.wait() == client.Finished(3, 3)
        assert not run.is_running
        assert run.last_lines[-1].startswith("3 frames in o/####.exr")

    def test_wait_gives_nothing_while_it_runs(self, client: ModuleType, three_frames: Callable[..., Any]) -> None:
        run = three_frames(lambda event: None)
        run.start()
        assert run.wait(0) is None
        assert run.is_running
        assert run.wait() == client.Finished(3, 3)

    def test_some_frames_that_fail_are_named_and_the_last_event_has_code_3(
        self, client: ModuleType, cli: Callable[..., Any]
    ) -> None:
        assert cli("render", "elements", "--seeds", "0-2", "--out", "plate/####.png").code == 0
        Path("plate/0001.png").write_bytes(Path("plate/0001.png").read_bytes()[:200])
        seen: list[Any] = []
        command = client.Command(str(VFXGAN), "0.1.0")
        run = client.Run(command, ["render", "--in", "plate/####.png", "--out", "o/####.png"], seen.append)
        run.start()
        last = run.wait()
        assert isinstance(last, client.Failed)
        assert (last.code, last.done, last.total) == (3, 3, 3)
        assert "1 of 3 frames failed: 1" in last.reason
        (failed,) = [event for event in seen if isinstance(event, client.FrameFailed)]
        assert (failed.number, failed.path) == (1, str(Path("o/0001.png").absolute()))
        assert failed.reason
        assert len([event for event in seen if isinstance(event, client.FrameDone)]) == 2

    def test_options_are_added_before_two_dashes(self, client: ModuleType, tmp_path: Path) -> None:
        path = program(tmp_path / "a")
        path.write_text(f"#!{sys.executable}\nimport sys\nsys.exit(repr(sys.argv[1:]))\n", encoding="utf-8")
        run = client.Run(client.Command(str(path), "0.1.0"), ["inspect", "--", "-odd"], lambda event: None)
        run.start()
        assert run.wait().reason == "['inspect', '--progress', 'json', '--', '-odd']"
