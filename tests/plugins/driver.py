"""What stands for a host in the tests: run by any Python of 3.9 to 3.13, with the client's folder on its path.

    python -I -S driver.py CLIENT '{"program": …, "arguments": […], "folder": …, "cancel_after": 1}'

Prints one JSON object a line: the pid, then each event with its class's name. Standard library only.
"""

import json
import os
import signal
import sys
from dataclasses import asdict


def main(client, job):
    sys.path.insert(0, client)
    if job.get("ignores_children"):
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    import vfxgan_client

    try:
        command = vfxgan_client.find_command(job.get("program"))
        if "ask" in job:
            say("Answer", answer=vfxgan_client.ask(command, job["ask"], job.get("folder")))
        for arguments in job.get("before", []):
            follow(vfxgan_client, command, {**job, "arguments": arguments})
        follow(vfxgan_client, command, job)
    except vfxgan_client.ClientError as error:
        say(type(error).__name__, message=str(error))


def follow(client, command, job):
    seen = []

    def on_event(event):
        say(type(event).__name__, **asdict(event))
        seen.append(event)
        if len([each for each in seen if isinstance(each, client.FrameDone)]) == job.get("cancel_after"):
            run.cancel()

    run = client.Run(command, job["arguments"], on_event, job.get("folder"), job.get("grace_s", 10.0))
    run.start()
    say("Pid", pid=run.pid)
    if job.get("forks") and os.fork() == 0:  # as a pool of processes does, without an exec
        say("Forked", pid=os.getpid())
        signal.pause()
    last = run.wait()
    say(
        "End",
        same=last is seen[-1],
        running=run.is_running,
        modules=sorted({name.split(".")[0] for name in sys.modules}),
    )


def say(kind, **facts):
    print(json.dumps({"kind": kind, **facts}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
