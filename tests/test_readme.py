"""Every command in the README is run: `sh` blocks succeed in order, `console` blocks fail with the line they show."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# The same commands, less of everything: a training of hours becomes one of seconds. Nothing else is changed.
SHORTER = {
    "--count 4000 --size 128": "--count 8 --size 32",
    "--size 128 --out runs/elements": "--size 32 --batch 4 --iterations 2 --out runs/elements",
    "--depth 7 --out runs/matte2element": (
        "--depth 5 --width 4 --discriminator-layers 1 --iterations 2 --out runs/matte2element"
    ),
    "--count 2000 --size 256": "--count 4 --size 64",
    "--held-out 8 --out runs/upscaler": (
        "--held-out 1 --width 8 --blocks 1 --crop 32 --batch 2 --iterations 2 --out runs/upscaler"
    ),
}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def shell(command, folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VFXGAN")} | {"PATH": path}
    return subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)


def commands_of(block):
    return [line for line in block.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("block", [block for block in blocks("sh") if "vfxgan" in block])
def test_the_commands_run_one_after_the_other(block, tmp_path):
    for command in commands_of(block):
        for long, short in SHORTER.items():
            command = command.replace(long, short)
        outcome = shell(command, tmp_path)
        assert outcome.returncode == 0, f"{command}\n{outcome.stderr}"


TARGETS = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), flags=re.MULTILINE)


@pytest.mark.parametrize("target", TARGETS)
def test_the_make_targets_exist_and_would_run(target):
    outcome = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


FAILURES = re.findall(r"^\$ (.*)\n(vfxgan: .*)$", "\n".join(blocks("console")), flags=re.MULTILINE)


@pytest.mark.parametrize(("command", "line"), FAILURES, ids=[command for command, _ in FAILURES])
def test_a_failure_looks_as_the_readme_says(command, line, tmp_path):
    outcome = shell(command, tmp_path)
    assert outcome.returncode != 0
    assert outcome.stderr.splitlines()[-1] == line
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in command]


def test_every_command_of_the_line_is_shown_failing():
    shown = {command.split("vfxgan ")[-1].split()[0] for command, _ in FAILURES}
    expected = {"train", "dataset", "export", "evaluate", "render", "verify", "inspect", "contact-sheet", "doctor"}
    expected |= {"compare", "submit", "plugins"}
    assert expected <= shown


def test_pictures_and_links_of_the_readme_exist():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert all((ROOT / target).exists() for target in targets), targets
