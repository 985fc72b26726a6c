"""`--shots shots.csv`: a job a row; every row is checked before any is submitted."""

import csv
import json
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

HEADER = "shot,seeds,out,model\n"


def submit(cli: Any, *words: object, to: str = "openjd") -> Any:
    return cli("submit", "--to", to, "--shots", "shots.csv", *words)


def write(*rows: list[object]) -> None:
    with Path("shots.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def test_each_row_is_a_job_of_its_own(cli: Any, tiny: Path) -> None:
    write(
        ["shot", "seeds", "out", "z-interval", "overwrite"],
        ["sh010", "0-9", "renders/sh010/####.exr", "0.5", "yes"],
        [],
        ["sh020", "5,7", 'renders/it\'s "ä", 木/####.exr', "", "no"],
    )
    result = submit(cli, tiny, "--chunk", 3)
    assert result.code == 0, result
    assert result.out.splitlines() == ["farm/sh010/template.json", "farm/sh020/template.json"]
    first, second = (json.loads(Path(line).read_text()) for line in result.out.splitlines())
    assert (first["name"], second["name"]) == ("sh010", "sh020")
    words = [whole["steps"][0]["script"]["actions"]["onRun"]["args"] for whole in (first, second)]
    assert words[0][words[0].index("--z-interval") + 1] == "0.5"
    assert "--overwrite" in words[0]
    assert "--overwrite" not in words[1]
    assert words[1][words[1].index("--out") + 1] == str(Path('renders/it\'s "ä", 木/####.exr').absolute())
    assert words[1][words[1].index("--seeds") + 1] == "5,7"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "shots.csv:1: no column 'shot'"),
        ("shot,seeds,out\n", "shots.csv: no shots in it"),
        ("seeds,out\n0-9,a/#.exr\n", "shots.csv:1: no column 'shot'"),
        ("shot,seed,out\n", "shots.csv:1, column 'seed': is no option of vfxgan render"),
        ("shot,progress\n", "shots.csv:1, column 'progress': is no option"),
        ("shot,preview\n", "shots.csv:1, column 'preview': is no option"),
        ("shot,seeds,seeds\n", "shots.csv:1, column 'seeds': is there twice"),
        ("shot,seeds,out\na,0,x/#.exr\na,1,y/#.exr\n", "shots.csv:3, column shot: 'a' stands in shots.csv:2 already"),
        ("shot,seeds,out\n../b,0,x/#.exr\n", "shots.csv:2, column shot: '../b' starts or ends with a dot"),
        ("shot,seeds,out\nsh/10,0,x/#.exr\n", "shots.csv:2, column shot: 'sh/10' has '/' in it"),
        ("shot,seeds,out\n,0,x/#.exr\n", "shots.csv:2, column shot: '' is empty"),
        ('shot,seeds,out\n"a\nb",0,x/#.exr\n', "shots.csv:2, column shot: 'a\\nb' has '\\n' in it"),
        ("shot,seeds,out\n\x1b[31m,0,x/#.exr\n", "shots.csv:2, column shot: '\\x1b[31m' has '\\x1b' in it"),
        ("shot,seeds,out\na,0,x\0/#.exr\n", "NUL"),
        ("shot;seeds;out\na;0;x/#.exr\n", "shots.csv:1: no column 'shot'; its cells have ';' between them, not commas"),
        ("shot\tseeds\tout\na\t0\tx/#.exr\n", "shots.csv:1: no column 'shot'; its cells have tabs between them, not"),
        ("Shot,Seeds,out\na,0,x/#.exr\n", "shots.csv:1: no column 'shot'; write it without capitals, not 'Shot'"),
        ("shot,Seeds,out\na,0,x/#.exr\n", "shots.csv:1, column 'Seeds': is no option of vfxgan render; write seeds"),
        ("shot,seeds,out\na,0,x/#.exr,more\n", "shots.csv:2: 4 cells for 3 columns"),
        ("shot,seeds,out,loop\na,0,x/#.exr,maybe\n", "shots.csv:2, column loop: 'maybe' is neither yes nor no"),
        ("shot,seeds,out\na,5-1x0,x/#.exr\n", "shots.csv:2, column seeds (a): --seeds '5-1x0' is not a range"),
        ("shot,seeds,out,mix\na,0,x/#.exr,lots\n", "shots.csv:2, column mix (a): "),
        ("shot,seeds,out\na,0,x/#.exr\nb,0,x/#.exr\n", "shots.csv:3, column out: "),
        ('shot,seeds,out\na,"0,x/#.exr\n', "shots.csv:2: is not CSV (unexpected end of data)"),
        ("shot,seeds,out\na,0,--overwrite\n", "shots.csv:2, column out (a): --out '--overwrite' has no extension"),
        ("shot,seeds,out\na,--overwrite,x/#.exr\n", "column seeds (a): --seeds '--overwrite' is not a range of seeds"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_column(cli: Any, tiny: Path, text: str, reason: str) -> None:
    Path("shots.csv").write_text(text, encoding="utf-8")
    result = submit(cli, tiny)
    assert result.code == 2, result
    assert reason in result.line
    assert len(result.err.strip().splitlines()) == 1
    assert not Path("farm").exists()


def test_no_row_is_submitted_where_one_is_wrong_and_the_wrong_ones_are_all_named(cli: Any, tiny: Path) -> None:
    write(["shot", "seeds", "out"], *([f"s{n}", f"{n}-x", f"o{n}/#.exr"] for n in range(7)), ["good", "1", "g/#.exr"])
    line = submit(cli, tiny).line
    assert all(f"shots.csv:{number}, column seeds" in line for number in range(2, 7))
    assert line.endswith("; and 2 more")
    assert not Path("farm").exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"shot,out\n\xff\xfe,x\n", "is not UTF-8 text"), (None, "cannot be read (No such file")],
)
def test_a_file_that_is_no_text_or_is_not_there_is_named(cli: Any, tiny: Path, data: bytes | None, reason: str) -> None:
    if data is not None:
        Path("shots.csv").write_bytes(data)
    assert reason in submit(cli, tiny).line


def test_a_formula_or_an_option_in_a_cell_is_a_value(cli: Any, tiny: Path) -> None:
    write(["shot", "seeds", "out"], ["=cmd(1)", "0", "--version/####.exr"])
    result = submit(cli, tiny, to="commands")
    assert result.code == 0, result
    words = shlex.split(result.out.splitlines()[0])
    assert words[words.index("--out") + 1] == str(Path("--version/####.exr").absolute())


def test_shots_go_where_the_projects_convention_says(cli: Any, tiny: Path) -> None:
    Path("vfxgan.toml").write_text(
        f'model = "{tiny}"\n[output]\npattern = "renders/{{shot}}/{{version}}/{{shot}}.####.exr"\n'
    )
    write(["shot", "seeds", "version"], ["sh010", "0-3", "v003"], ["sh020", "0-3", "next"])
    result = submit(cli, "--manifest", "{shot}.json", to="commands")
    assert result.code == 0, result
    assert str(Path("renders/sh010/v003/sh010.####.exr").absolute()) in result.out
    assert str(Path("renders/sh020/v001/sh020.####.exr").absolute()) in result.out
    assert str(Path("sh020.json").absolute()) in result.out
    assert Path("renders/sh020/v001").is_dir()
    wrong = submit(cli, "--manifest", "publish.json", to="commands")
    assert "--manifest publish.json: is one file for all shots; write '{shot}.json'" in wrong.line
    assert "--name 'x' is for one job" in submit(cli, "--name", "x", to="commands").line


def test_refused_rows_leave_no_folder_and_a_submitted_one_keeps_its_version(
    cli: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("vfxgan.toml").write_text(f'model = "{tiny}"\n[output]\npattern = "r/{{shot}}/vfx/{{version}}/####.exr"\n')
    write(["shot", "seeds", "version"], ["sh010", "0-3", "next"], ["sh020", "0-x", "next"])
    assert submit(cli, to="commands").code == 2
    assert not Path("r").exists()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sbatch").write_text('#!/bin/sh\ncase "$PWD $*" in *sh020*) exit 1;; esac\necho 7\n')
    (tmp_path / "bin" / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    write(["shot", "seeds", "version"], ["sh010", "0-3", "next"], ["sh020", "0-3", "next"])
    assert submit(cli, to="slurm").code == 1
    assert [str(path) for path in sorted(Path("r").rglob("*"))] == ["r/sh010", "r/sh010/vfx", "r/sh010/vfx/v001"]


def test_two_hundred_shots_are_submitted_in_seconds(cli: Any, tiny: Path) -> None:
    write(["shot", "seeds", "out"], *([f"sh{n:04d}", "0-499", f"r/sh{n:04d}/####.exr"] for n in range(200)))
    started = time.process_time()
    result = submit(cli, tiny)
    assert result.code == 0, result
    assert len(list(Path("farm").rglob("template.json"))) == 200
    assert time.process_time() - started < 20


def test_shots_whose_names_make_one_folder_have_one_each(cli: Any, tiny: Path) -> None:
    names = ["a b", "a_b", "A_B", "a_b-2"]
    write(["shot", "seeds", "out"], *([name, number, f"r/{number}/#.exr"] for number, name in enumerate(names)))
    result = submit(cli, tiny)
    assert result.code == 0, result
    files = [Path(line) for line in result.out.splitlines()]
    assert [file.parent.name for file in files] == ["a_b", "a_b-2", "A_B-3", "a_b-2-2"]
    assert [json.loads(file.read_text())["name"] for file in files] == names
    assert submit(cli, tiny).out == result.out
    write(["shot", "seeds", "out"], *([name, 7, f"r/{name}/new/#.exr"] for name in ("a_b-2", "A_B", "A b", "a b")))
    assert [Path(line).parent.name for line in submit(cli, tiny).out.split()] == ["a_b-2-2", "A_B-3", "A_b-4", "a_b"]


def test_rows_that_write_the_same_files_by_other_patterns_are_refused(cli: Any, tiny: Path) -> None:
    columns = ["shot", "seeds", "out"]
    write(columns, ["a", "0-3", "x/y/#.exr"], ["b", "3-9", "x/../x/y/%d.exr"], ["c", "0-9", "x/##.exr"])
    line = submit(cli, tiny).line
    assert "shots.csv:3, column out: " in line
    assert "shots.csv:2 writes frames of that name, too" in line
    assert "shots.csv:4" not in line
    Path("x/y").mkdir(parents=True)
    Path("x/z").symlink_to("y")
    write(columns, ["a", "0-3", "x/y/#.exr"], ["b", "3-9", "x/z/#.exr"])
    assert "shots.csv:2 writes frames of that name, too" in submit(cli, tiny).line
    write(columns, ["a", "0-3", "x/y/#.exr"], ["b", "0-3", "x/y/####.exr"], ["c", "9", "x/y/#.exr"])
    assert submit(cli, tiny).code == 0
