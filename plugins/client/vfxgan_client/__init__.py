"""Runs the vfxgan command for a host program: standard library only, Python 3.9 and later.

    command = find_command()
    run = Run(command, ["render", "--seeds", "0-9", "--out", "/shots/010/####.exr"], on_event=print)
    run.start()
    run.wait()

A host's process loads nothing of vfxgan but this package; what renders is a process of its own.
"""

from vfxgan_client.ask import answer, ask
from vfxgan_client.command import Command, find_command
from vfxgan_client.environment import clean_environment
from vfxgan_client.errors import ClientError, NotFound, Withdrawn, WrongVersion
from vfxgan_client.events import (
    Cancelled,
    Event,
    Failed,
    Finished,
    FrameDone,
    FrameFailed,
    Progress,
    Started,
    Waiting,
    Warned,
)
from vfxgan_client.run import Run

__all__ = [
    "Cancelled",
    "ClientError",
    "Command",
    "Event",
    "Failed",
    "Finished",
    "FrameDone",
    "FrameFailed",
    "NotFound",
    "Progress",
    "Run",
    "Started",
    "Waiting",
    "Warned",
    "Withdrawn",
    "WrongVersion",
    "answer",
    "ask",
    "clean_environment",
    "find_command",
]
