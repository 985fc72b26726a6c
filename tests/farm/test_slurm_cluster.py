"""Slurm for real: a controller, a node and its authentication on the loopback, for the time of these tests."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue")
PATIENCE_S = 60
CONFIGURATION = """\
ClusterName=vfxgan
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
KillWait=20
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=render Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
"""


@dataclass(frozen=True)
class Cluster:
    """A Slurm of one node."""

    configuration: Path
    cpus: int = min(2, os.cpu_count() or 1)

    def ask(self, *words: str) -> str:
        """What one of Slurm's commands prints."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False).stdout.strip()

    def state(self, task: str) -> str:
        """`COMPLETED`, `PENDING`, …; the first of an array."""
        words = dict(word.split("=", 1) for word in self.ask("scontrol", "show", "job", task).split() if "=" in word)
        return words.get("JobState", "")

    def until_idle(self) -> None:
        """Nothing runs or waits any more."""
        until(lambda: not self.ask("squeue", "--noheader"), "the queue to be empty")


def until(condition: Callable[[], Any], what: str) -> None:
    """Ask again and again: Slurm tells nobody when something happens."""
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for {what}"
        pause.wait(0.1)


@pytest.fixture(scope="module")
def daemons() -> Iterator[Cluster]:
    """The three daemons, which end with the tests."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"Slurm is not installed ({', '.join(missing)}); Debian: slurmctld slurmd slurm-client munge")
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may start Slurm's daemons")
    folder = Path(tempfile.mkdtemp(prefix="vfxgan-", dir="/tmp"))  # a socket's path may have 107 characters
    started: list[subprocess.Popen[bytes]] = []
    try:
        configuration = _configure(folder)
        environment = {**os.environ, "SLURM_CONF": str(configuration)}
        files = {"socket": "munge.socket", "key-file": "key", "pid-file": "munge.pid", "seed-file": "seed"}
        munge = [f"--{option}={folder / name}" for option, name in files.items()]
        lines = (
            ["munged", "--foreground", "--force", f"--log-file={folder / 'munge.log'}", *munge],
            ["slurmctld", "-D", "-c", "-f", str(configuration)],
            ["slurmd", "-D", "-f", str(configuration), "-N", _host()],
        )
        for line in lines:
            with (folder / f"{line[0]}.log").open("wb") as log:
                started.append(subprocess.Popen(line, env=environment, stdout=log, stderr=subprocess.STDOUT))
            if line[0] == "munged":
                until((folder / "munge.socket").exists, "munged")
        cluster = Cluster(configuration)
        until(lambda: cluster.ask("sinfo", "--noheader", "--format=%T") == "idle", "the node to be idle")
        yield cluster
        cluster.ask("scancel", "--user=root")
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(PATIENCE_S)
        shutil.rmtree(folder)


def _configure(folder: Path) -> Path:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(1024))
    ports = {}
    for name in ("controller", "daemon"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports[name] = probe.getsockname()[1]
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(folder=folder, host=_host(), cpus=min(2, os.cpu_count() or 1), **ports)
    )
    return configuration


def _host() -> str:
    return socket.gethostname().split(".")[0]


@pytest.fixture
def cluster(daemons: Cluster, on_path: None, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """With `sbatch` and `scontrol` set to it."""
    monkeypatch.setenv("SLURM_CONF", str(daemons.configuration))
    return daemons


def test_chunks_make_the_frames_of_one_render_and_verify_comes_last(
    cli: Any, cluster: Cluster, tiny: Path, tmp_path: Path, frames_of: Any
) -> None:
    odd = tmp_path / "it's  a `shot`; & é"
    render = (tiny, "--seeds", "0-19", "--start-frame", "1001")
    assert cli("render", *render, "--out", tmp_path / "whole" / "####.exr").code == 0
    line = ("--chunk", "9", "--cores", "1", "--job", tmp_path / "job's folder", "--manifest", odd / "publish.json")
    numbers = submitted(cli, *render, "--out", odd / "####.exr", *line, "--extra=--throttle=2")
    cluster.until_idle()
    assert {name: cluster.state(number) for name, number in numbers.items()} == dict.fromkeys(numbers, "COMPLETED")
    found = frames_of(odd)
    assert b'"ok": true' in found.pop("publish.json")
    assert found == frames_of(tmp_path / "whole")
    logs = sorted((tmp_path / "job's folder").glob("*.log"))
    assert len(logs) == 4
    assert "20 frames are whole" in logs[-1].read_text()


def test_files_that_were_only_written_are_submitted_by_their_script_from_anywhere(
    cli: Any, cluster: Cluster, tiny: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "it's #1 100%A é"
    words = ("--seeds", "0-3", "--out", "o/####.exr", "--chunk", "2", "--cores", "1", "--job", folder, "--write-only")
    result = cli("submit", "--to", "slurm", tiny, *words, "--extra=--comment=two  'words' #2")
    assert result.code == 0, result
    done = subprocess.run(["sh", folder / "submit.sh"], cwd="/", capture_output=True, text=True, check=True)
    numbers = dict(line.split() for line in done.stdout.splitlines())
    assert "Comment=two  'words' #2" in cluster.ask("scontrol", "show", "job", numbers["Verify"])
    number = cluster.ask("sbatch", "--parsable", "--hold", str(folder / "Verify.sbatch"))
    assert "Comment=two  'words' #2" in cluster.ask("scontrol", "show", "job", number)
    cluster.ask("scancel", number)
    cluster.until_idle()
    assert {name: cluster.state(number) for name, number in numbers.items()} == dict.fromkeys(numbers, "COMPLETED")
    assert len(list(folder.glob("Render-*_*.log"))) == 2
    assert "4 frames are whole" in (folder / f"Verify-{numbers['Verify']}.log").read_text()


def test_a_preempted_task_goes_on_where_it_was_and_one_that_fails_for_good_leaves_verify_unrun(
    cli: Any, cluster: Cluster, tiny: Path, make_model: Any, tmp_path: Path, frames_of: Any
) -> None:
    """Two jobs at a time: Slurm lets each wait for seconds before it runs a task again."""
    model = make_model(tmp_path / "m.onnx", size=512, channels=3)
    cores = str(cluster.cpus)  # all there are, so that what is urgent has to push it aside
    line = ("--chunk", "90", "--cores", cores, "--job", "long", "--retries", "0", "--no-verify", "--out", "o/####.exr")
    task = f"{submitted(cli, model, '--seeds', '0-89', *line)['Render']}_0"
    until(lambda: len(list(Path("o").glob("*.exr"))) > 10, "some frames")
    cluster.ask("sbatch", "--partition=urgent", f"--cpus-per-task={cores}", "--output=/dev/null", "--wrap=true")
    until(lambda: cluster.state(task) == "PENDING", "the task to stop")
    done = frames_of(tmp_path / "o")
    assert 10 < len(done) < 90
    assert not [name for name in done if name.startswith(".")]
    failing = submit_plates_of_which_one_is_gone(cli, cluster, tiny)
    cluster.until_idle()

    assert cluster.state(task) == "COMPLETED"
    again = frames_of(tmp_path / "o")
    assert len(again) == 90
    assert {name: again[name] for name in done} == done
    log = next(Path("long").glob("*.log")).read_text()
    assert "DUE TO PREEMPTION" in log
    assert "interrupted: " in log
    assert "were done before" in log

    assert cluster.state(f"{failing['Render']}_0") == "COMPLETED"
    assert cluster.state(f"{failing['Render']}_1") == "FAILED"
    assert cluster.state(failing["Verify"]) == "CANCELLED"
    log = (Path("job") / f"Render-{failing['Render']}_1.log").read_text()
    assert log.count("1 of 2 frames failed: 3") == 2
    assert sorted(path.name for path in Path("up").iterdir()) == ["0001.exr", "0002.exr", "0004.exr"]
    assert not Path("a.json").exists()


def submit_plates_of_which_one_is_gone(cli: Any, cluster: Cluster, tiny: Path) -> dict[str, str]:
    """A job whose second chunk fails, with one retry."""
    assert cli("render", tiny, "--seeds", "1-4", "--out", "plate/####.exr").code == 0
    line = ("--chunk", "2", "--cores", "1", "--job", "job", "--retries", "1", "--extra=--hold", "--manifest", "a.json")
    numbers = submitted(cli, "upscaler", "--in", "plate/####.exr", "--out", "up/####.exr", *line)
    Path("plate/0003.exr").unlink()
    for number in numbers.values():
        cluster.ask("scontrol", "release", number)
    return numbers


def submitted(cli: Any, *words: object) -> dict[str, str]:
    """Slurm's numbers of the steps of a job, from the last line: `o: Render 12, Verify 13`."""
    result = cli("submit", "--to", "slurm", *words)
    assert result.code == 0, result
    line = result.out.strip().splitlines()[-1]
    return dict(part.split(" ") for part in line.rpartition(": ")[2].split(", "))
