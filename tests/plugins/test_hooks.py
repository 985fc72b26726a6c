"""`vfxgan plugins install|uninstall`: the smallest hook, idempotent, and taken out to the byte."""

import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosts import VFXGAN

PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HOUDINI_USER_PREF_DIR", raising=False)
    monkeypatch.delenv("VFXGAN_INSTALLED_COMMAND", raising=False)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestNuke:
    def test_nuke_runs_the_hook_and_finds_plugin_and_command(
        self, cli: Callable[..., Any], nuke: Callable[..., Any], tmp_path: Path
    ) -> None:
        result = cli("plugins", "install", "nuke")
        assert result.code == 0
        init = tmp_path / "home" / ".nuke" / "init.py"
        assert result.out.startswith(f"{init}: a new file of one line: import nuke, os; ")
        assert result.out.endswith("start Nuke again\n")
        assert len(init.read_text(encoding="utf-8").splitlines()) == 1
        host = nuke(gui=False)
        runpy.run_path(str(init))
        (folder,) = host.paths
        assert Path(folder).samefile(PLUGINS / "nuke")
        runpy.run_path(str(Path(folder, "init.py")))  # as Nuke does with each folder of its path
        import vfxgan_client

        assert vfxgan_client.find_command(environment={**os.environ, "PATH": ""}).program == str(VFXGAN)

    def test_of_two_hooks_in_one_session_the_first_ones_command_holds_and_a_parents_never(
        self, cli: Callable[..., Any], nuke: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        init = tmp_path / "init.py"
        cli("plugins", "install", "nuke", "--into", tmp_path)
        (tmp_path / "other.py").write_bytes(init.read_bytes().replace(os.fsencode(VFXGAN), b"/other/vfxgan"))
        monkeypatch.setenv("VFXGAN_INSTALLED_COMMAND", "/of/the/program/that/started/nuke")
        for first, second, command in (("init", "other", str(VFXGAN)), ("other", "init", "/other/vfxgan")):
            nuke(gui=False)
            runpy.run_path(str(tmp_path / f"{first}.py"))
            runpy.run_path(str(tmp_path / f"{second}.py"))
            assert os.environ["VFXGAN_INSTALLED_COMMAND"] == command

    @pytest.mark.parametrize(
        "before",
        [
            None,
            b"",
            b"import nuke\n",
            b"# no end of the last line",
            b"if True:\n    x = 1",
            b"import nuke\r\nx = 2\r\n",
            b"import nuke\r\nx = 2",
            b"a = 1\r",
            "\ufeff# größe\n".encode(),
            b"'''a text'''\n\n\n",
        ],
    )
    def test_uninstall_restores_every_byte(self, cli: Callable[..., Any], tmp_path: Path, before: bytes | None) -> None:
        folder = tmp_path / "dot nuke's"
        folder.mkdir()
        if before is not None:
            (folder / "init.py").write_bytes(before)
        untouched = files_in(folder)
        assert cli("plugins", "install", "nuke", "--into", folder).code == 0
        installed = files_in(folder)
        assert installed["init.py"].startswith(before or b"")
        compile(installed["init.py"], "init.py", "exec")
        again = cli("plugins", "install", "nuke", "--into", folder)
        assert "nothing to do, the line stands there" in again.out
        assert "start Nuke" not in again.out
        assert files_in(folder) == installed
        assert cli("plugins", "uninstall", "nuke", "--into", folder).code == 0
        assert files_in(folder) == untouched
        assert "nothing to do" in cli("plugins", "uninstall", "nuke", "--into", folder).out

    def test_a_folder_that_install_made_goes_with_the_hook_unless_it_is_used(
        self, cli: Callable[..., Any], tmp_path: Path
    ) -> None:
        folder = tmp_path / "home" / ".nuke"
        cli("plugins", "install", "nuke")
        assert cli("plugins", "uninstall", "nuke").code == 0
        assert not folder.exists()
        cli("plugins", "install", "nuke")
        (folder / "menu.py").touch()
        assert cli("plugins", "uninstall", "nuke").code == 0
        assert [path.name for path in folder.iterdir()] == ["menu.py"]

    def test_the_line_ends_as_the_files_others_do(self, cli: Callable[..., Any], tmp_path: Path) -> None:
        for before in (b"a = 1\r\n", b"a = 1\r\nb = 2"):
            (tmp_path / "init.py").write_bytes(before)
            cli("plugins", "install", "nuke", "--into", tmp_path)
            data = (tmp_path / "init.py").read_bytes()
            assert data.count(b"\r\n") == data.count(b"\n") == len(before.splitlines()) + 1

    def test_two_lines_of_it_are_for_a_person_to_choose_from(self, cli: Callable[..., Any], tmp_path: Path) -> None:
        init = tmp_path / "init.py"
        cli("plugins", "install", "nuke", "--into", tmp_path)
        init.write_bytes(init.read_bytes() * 2)
        for verb in ("install", "uninstall"):
            result = cli("plugins", verb, "nuke", "--into", tmp_path)
            assert (result.code, result.line) == (
                2,
                f"vfxgan: {init} has 2 lines of vfxgan; remove all of them but one",
            )

    def test_nukes_home_comes_before_the_users_profile(
        self, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Path, "home", classmethod(lambda cls: tmp_path / "profile"))
        assert cli("plugins", "install", "nuke").out.startswith(f"{tmp_path}/home/.nuke/init.py: ")

    def test_the_plugins_own_folder_is_no_place_for_its_hook(self, cli: Callable[..., Any]) -> None:
        folder = Path(cli("plugins", "path", "nuke").out.strip())
        result = cli("plugins", "install", "nuke", "--into", folder, "--dry-run")
        assert (result.code, "is the plug-in itself; name your own folder by --into" in result.line) == (2, True)

    def test_what_was_written_after_it_stays(self, cli: Callable[..., Any], tmp_path: Path) -> None:
        init = tmp_path / "init.py"
        init.write_bytes(b"a = 1")
        cli("plugins", "install", "nuke", "--into", tmp_path)
        init.write_bytes(init.read_bytes() + b"b = 2\n")
        assert cli("plugins", "uninstall", "nuke", "--into", tmp_path).code == 0
        assert init.read_bytes() == b"a = 1\nb = 2\n"

    def test_a_line_for_another_place_is_corrected_where_it_stands(
        self, cli: Callable[..., Any], tmp_path: Path
    ) -> None:
        init = tmp_path / "init.py"
        cli("plugins", "install", "nuke", "--into", tmp_path)
        right = init.read_bytes()
        init.write_bytes(b"a = 1\n" + right.replace(b"plugins/nuke", b"gone/nuke") + b"b = 2\n")
        assert "the line is corrected" in cli("plugins", "install", "nuke", "--into", tmp_path).out
        assert init.read_bytes() == b"a = 1\n" + right + b"b = 2\n"

    def test_a_dry_run_says_it_and_does_nothing(self, cli: Callable[..., Any], tmp_path: Path) -> None:
        result = cli("plugins", "install", "nuke", "--dry-run")
        assert result.out.startswith("dry run: ")
        assert "nuke.pluginAddPath(" in result.out
        assert list((tmp_path / "home").iterdir()) == []

    def test_a_link_is_followed_and_stays_and_so_does_the_mode(self, cli: Callable[..., Any], tmp_path: Path) -> None:
        (tmp_path / "dots").mkdir()
        (tmp_path / "nuke").mkdir()
        kept = tmp_path / "dots" / "init.py"
        kept.write_text("a = 1\n", encoding="utf-8")
        kept.chmod(0o640)
        (tmp_path / "nuke" / "init.py").symlink_to(kept)
        assert cli("plugins", "install", "nuke", "--into", tmp_path / "nuke").code == 0
        assert (tmp_path / "nuke" / "init.py").is_symlink()
        assert b"pluginAddPath" in kept.read_bytes()
        assert kept.stat().st_mode & 0o777 == 0o640

    @pytest.mark.parametrize(
        ("before", "why"),
        [
            (b"\xff\xfe\x00", "is no UTF-8 text (byte 0); it was left alone"),
            (b"def f(:\n", "is no Python that runs (invalid syntax, line 1); correct it first"),
            (b"x = 1 + \\\n", "is no Python that runs"),
        ],
    )
    def test_a_file_that_cannot_take_a_line_is_left_alone(
        self, cli: Callable[..., Any], tmp_path: Path, before: bytes, why: str
    ) -> None:
        (tmp_path / "init.py").write_bytes(before)
        result = cli("plugins", "install", "nuke", "--into", tmp_path)
        assert result.code == 2
        assert why in result.line
        assert (tmp_path / "init.py").read_bytes() == before

    def test_a_folder_that_cannot_be_used_is_one_line(self, cli: Callable[..., Any], tmp_path: Path) -> None:
        for host in ("nuke", "houdini"):
            result = cli("plugins", "install", host, "--into", tmp_path / "mistyped")
            assert (result.code, result.line) == (2, f"vfxgan: {tmp_path}/mistyped is no folder; check --into")
        (tmp_path / "init.py").mkdir()
        result = cli("plugins", "install", "nuke", "--into", tmp_path)
        assert (result.code, "cannot be read (Is a directory)" in result.line) == (2, True)

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that nobody may write to: Linux")
    def test_a_folder_that_cannot_be_written_to_is_one_line(self, cli: Callable[..., Any]) -> None:
        result = cli("plugins", "install", "nuke", "--into", "/proc")
        assert result.code == 2
        assert result.line.startswith("vfxgan: /proc/init.py cannot be written (")
        assert result.line.endswith("); choose another folder with --into")


class TestHoudini:
    @pytest.fixture
    def preferences(self, tmp_path: Path) -> Path:
        folder = tmp_path / "home" / "houdini20.5"
        folder.mkdir()
        return folder

    def test_the_package_names_folders_that_hold_the_plugin(
        self, cli: Callable[..., Any], preferences: Path, tmp_path: Path
    ) -> None:
        result = cli("plugins", "install", "houdini")
        assert result.code == 0
        assert result.out.startswith(f"{preferences}/packages/vfxgan.json: a new file, for ")
        package = json.loads((preferences / "packages" / "vfxgan.json").read_text(encoding="utf-8"))
        variables = {name: value for entry in package["env"] for name, value in entry.items()}
        folder = variables["VFXGAN_HOUDINI"]
        assert Path(package["hpath"].replace("$VFXGAN_HOUDINI", folder), "toolbar", "vfxgan.shelf").is_file()
        paths = [Path(text.replace("$VFXGAN_HOUDINI", folder)) for text in variables["PYTHONPATH"]["value"]]
        assert [(path / name / "__init__.py").is_file() for path, name in zip(paths, NAMES, strict=True)] == [True] * 2
        assert variables["PYTHONPATH"]["method"] == "prepend"
        assert variables["VFXGAN_INSTALLED_COMMAND"] == str(VFXGAN)

    def test_it_is_idempotent_corrects_itself_and_goes_whole(self, cli: Callable[..., Any], preferences: Path) -> None:
        path = preferences / "packages" / "vfxgan.json"
        cli("plugins", "install", "houdini")
        right = path.read_bytes()
        assert "nothing to do" in cli("plugins", "install", "houdini").out
        path.write_bytes(right.replace(b"plugins/houdini", b"gone/houdini"))
        assert ": corrected, for" in cli("plugins", "install", "houdini").out
        assert path.read_bytes() == right
        assert cli("plugins", "uninstall", "houdini").code == 0
        assert list(preferences.iterdir()) == [], "the folder that install made is gone too"
        assert "nothing to do" in cli("plugins", "uninstall", "houdini").out

    def test_other_packages_and_a_folder_that_was_named_stay(self, cli: Callable[..., Any], preferences: Path) -> None:
        packages = preferences / "packages"
        cli("plugins", "install", "houdini")
        (packages / "other.json").touch()
        assert cli("plugins", "uninstall", "houdini").code == 0
        assert [path.name for path in packages.iterdir()] == ["other.json"]
        (packages / "other.json").unlink()
        cli("plugins", "install", "houdini", "--into", packages)
        assert cli("plugins", "uninstall", "houdini", "--into", packages).code == 0
        assert packages.is_dir()

    @pytest.mark.parametrize("theirs", ["enable", "OCIO"])
    def test_what_somebody_added_to_the_package_is_never_lost(
        self, cli: Callable[..., Any], preferences: Path, theirs: str
    ) -> None:
        path = preferences / "packages" / "vfxgan.json"
        cli("plugins", "install", "houdini")
        package = json.loads(path.read_bytes())
        if theirs == "enable":
            package["enable"] = "houdini_version >= '20.5'"
        else:
            package["env"].append({"OCIO": "/show/config.ocio"})
        path.write_text(json.dumps(package), encoding="utf-8")
        before = path.read_bytes()
        for verb in ("install", "uninstall"):
            result = cli("plugins", verb, "houdini")
            assert (result.code, f"holds more than vfxgan wrote ({theirs}); it was left" in result.line) == (2, True)
        assert path.read_bytes() == before

    def test_the_packaged_file_itself_is_left_alone(self, cli: Callable[..., Any]) -> None:
        package = PLUGINS / "houdini" / "package"
        for verb in ("install", "uninstall"):
            result = cli("plugins", verb, "houdini", "--into", package, "--dry-run")
            assert (result.code, "was not written by vfxgan plugins install" in result.line) == (2, True)

    def test_a_path_that_houdini_would_take_for_a_variable_is_refused(
        self, cli: Callable[..., Any], preferences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "$SHOW").mkdir()
        (tmp_path / "$SHOW" / "vfxgan").symlink_to(VFXGAN)
        monkeypatch.setattr("sys.argv", [str(tmp_path / "$SHOW" / "vfxgan")])
        result = cli("plugins", "install", "houdini")
        assert (result.code, "$SHOW/vfxgan: Houdini takes $ for a variable" in result.line) == (2, True)
        assert list(preferences.iterdir()) == []

    def test_several_houdinis_need_a_choice_and_are_all_uninstalled(
        self, cli: Callable[..., Any], preferences: Path
    ) -> None:
        other = preferences.with_name("houdini21.0")
        other.mkdir()
        result = cli("plugins", "install", "houdini")
        assert result.code == 2
        assert f"there are several Houdinis here ({preferences}, {other}); choose one with --into" in result.line
        for folder in (preferences, other):
            assert cli("plugins", "install", "houdini", "--into", folder).code == 0
        assert cli("plugins", "uninstall", "houdini").out.count(": removed") == 2
        assert files_in(preferences.parent) == {}

    def test_none_at_all_says_what_to_name(self, cli: Callable[..., Any]) -> None:
        result = cli("plugins", "install", "houdini")
        assert (result.code, "start it once, or name with --into" in result.line) == (2, True)

    def test_houdinis_own_variable_and_a_folder_of_packages_are_understood(
        self, cli: Callable[..., Any], preferences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOUDINI_USER_PREF_DIR", str(tmp_path / "prefs__HVER__"))
        (tmp_path / "prefs20.5").mkdir()
        assert cli("plugins", "install", "houdini").out.startswith(f"{tmp_path}/prefs20.5/packages/vfxgan.json")
        (tmp_path / "studio").mkdir()
        assert cli("plugins", "install", "houdini", "--into", tmp_path / "studio").code == 0
        assert (tmp_path / "studio" / "vfxgan.json").is_file()

    @pytest.mark.parametrize("before", [b"{}", b"[1]", b'{"env": [{"OTHER": "x"}]}', b"no json"])
    def test_a_file_of_somebody_else_is_left_alone(
        self, cli: Callable[..., Any], tmp_path: Path, before: bytes
    ) -> None:
        (tmp_path / "vfxgan.json").write_bytes(before)
        for verb in ("install", "uninstall"):
            result = cli("plugins", verb, "houdini", "--into", tmp_path)
            assert (result.code, "was not written by vfxgan plugins install; it was left alone" in result.line) == (
                2,
                True,
            )
        assert (tmp_path / "vfxgan.json").read_bytes() == before


NAMES = ("vfxgan_houdini", "vfxgan_client")


def test_the_folder_can_be_printed_for_a_studios_own_launcher(cli: Callable[..., Any]) -> None:
    assert Path(cli("plugins", "path", "nuke").out.strip()).samefile(PLUGINS / "nuke")
    assert Path(cli("plugins", "path", "houdini").out.strip()).samefile(PLUGINS / "houdini")


def test_another_program_is_bad_usage(cli: Callable[..., Any]) -> None:
    result = cli("plugins", "install", "maya")
    assert (result.code, "'maya' is not one of 'nuke', 'houdini'" in result.line) == (2, True)
