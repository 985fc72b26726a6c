"""AWS Deadline Cloud: a job bundle, submitted by its own command to a stub of its API on the loopback."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

FARM, QUEUE, JOB = (f"{kind}-{'0' * 31}1" for kind in ("farm", "queue", "job"))
CREATED = {"createdAt": "2026-01-01T00:00:00Z", "createdBy": "somebody"}


@dataclass
class Cloud:
    """What was asked of the stub, and what it answers to CreateJob."""

    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    refusal: str = ""

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return [body for method, path, body in self.asked if method == "POST" and path.endswith("/jobs")]

    def answer(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        if path.endswith("/jobs") and method == "POST":
            if self.refusal:
                return 400, {"message": self.refusal, "reason": "INVALID"}
            return 200, {"jobId": JOB}
        if "/jobs/" in path:
            state = {"lifecycleStatus": "CREATE_COMPLETE", "lifecycleStatusMessage": "made", "priority": 50}
            return 200, {"jobId": JOB, "name": "a job", **state, **CREATED}
        if path.endswith("/environments"):
            return 200, {"environments": []}
        queue = {"queueId": QUEUE, "farmId": FARM, "displayName": "fx", "status": "IDLE", "defaultBudgetAction": "NONE"}
        return 200, {**queue, **CREATED}


@pytest.fixture
def cloud(on_path: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A Deadline Cloud that knows one farm and one queue; `deadline` reaches it and nothing else."""
    if shutil.which("deadline") is None:
        pytest.skip("deadline is of the dev extra")
    cloud = Cloud()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            cloud.asked.append((self.command, path, json.loads(body or b"{}")))
            code, content = cloud.answer(self.command, path)
            data = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            if code != 200:
                self.send_header("x-amzn-errortype", "ValidationException")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815 - the server's names

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DEADLINE_CLOUD_TELEMETRY_OPT_OUT": "true",
        "HOME": str(tmp_path / "home"),
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield cloud
    server.shutdown()
    thread.join()
    server.server_close()


def submit(cli: Any, *words: object) -> Any:
    queue = (f"--extra=--farm-id={FARM}", f"--extra=--queue-id={QUEUE}")
    return cli("submit", "--to", "deadline", *queue, "--out", "it's out/####.exr", *words)


def test_a_bundle_is_submitted_as_it_was_written(cli: Any, tiny: Path, cloud: Cloud) -> None:
    result = submit(cli, tiny, "--seeds", "0-99", "--chunk", 7, "--priority", 70, "--retries", 4, "--name", "smoke 木")
    assert result.code == 0, result
    files = [Path(line) for line in result.out.splitlines()[:3]]
    assert [path.name for path in files] == ["template.json", "parameter_values.json", "asset_references.json"]
    assert result.out.splitlines()[-1] == f"smoke 木: {JOB}"
    (job,) = cloud.jobs
    assert json.loads(job["template"]) == json.loads(files[0].read_text(encoding="utf-8"))
    assert json.loads(job["template"])["parameterDefinitions"][1]["default"] == 7
    assert (job["priority"], job["maxRetriesPerTask"], job["templateType"]) == (70, 4, "JSON")
    assert "attachments" not in job  # files are where workers see them, too
    assert "it's out" in job["template"]


def test_many_shots_are_as_many_jobs(cli: Any, tiny: Path, cloud: Cloud) -> None:
    Path("shots.csv").write_text("shot,seeds,out\nsh010,0-9,a/#.exr\nsh020,0-4,b/#.exr\n")
    words = ("submit", "--to", "deadline", f"--extra=--farm-id={FARM}", f"--extra=--queue-id={QUEUE}", tiny)
    result = cli(*words, "--shots", "shots.csv")
    assert result.code == 0, result
    assert [json.loads(job["template"])["name"] for job in cloud.jobs] == ["sh010", "sh020"]


def test_a_refusal_is_one_line(cli: Any, tiny: Path, cloud: Cloud) -> None:
    cloud.refusal = "the queue takes no chunks"
    result = submit(cli, tiny, "--seeds", "0")
    assert result.code == 1
    assert "deadline bundle submit failed" in result.line
    assert "the queue takes no chunks" in result.line


def test_written_only_it_is_submitted_later(cli: Any, tiny: Path, cloud: Cloud) -> None:
    result = submit(cli, tiny, "--seeds", "0-9", "--write-only", "--job", "bundle")
    assert result.code == 0, result
    assert cloud.asked == []
    assert "it's out: to submit it: deadline bundle submit --priority 50 --max-retries-per-task 2 --yes " in result.err
    assert f"--farm-id={FARM} --queue-id={QUEUE} bundle\n" in result.err
    told = json.loads(Path("bundle/parameter_values.json").read_text())["parameterValues"]
    assert {entry["name"]: entry["value"] for entry in told} == {
        "deadline:priority": 50,
        "deadline:maxRetriesPerTask": 2,
    }


def test_without_its_command_there_is_a_line_that_says_so(
    cli: Any, tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = submit(cli, tiny, "--seeds", "0-9")
    assert result.code == 1
    assert (
        "deadline: not found on PATH; pip install deadline, or write the job's files only: --write-only" in result.line
    )
