"""A work item on a farm: `python item.py FOLDER render --seeds=… --frames=… --out=…`, by any Python 3.9 or later.

Starts vfxgan with a cleaned environment, so that Houdini's own libraries do not get in its way, prints how far it is,
and gives PDG the files as outputs. Neither `hou` nor `pdg` is imported: `pdgcmd` is what a scheduler puts beside its
jobs (https://www.sidefx.com/docs/houdini/tops/jobapi.html).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

TAG = "file/image"


def main(words: Sequence[str]) -> int:
    """The exit code: 0 done, 1 failed, 130 stopped."""
    from vfxgan_client import ClientError, Event, FrameDone, FrameFailed, Progress, Warned, find_command
    from vfxgan_houdini.following import follow, pace

    folder, arguments = words[0], list(words[1:])
    files: dict[int, list[str]] = {}

    def see(event: Event) -> None:
        if isinstance(event, FrameDone):
            files.setdefault(event.number, []).append(event.path)
        elif isinstance(event, Progress):
            print(pace(event), flush=True)
        elif isinstance(event, Warned):
            print(f"warning: {event.message}", flush=True)
        elif isinstance(event, FrameFailed):
            print(event.line, flush=True)

    try:
        follow(find_command(), arguments, folder, see, lambda: None)
    except ClientError as error:
        print(f"vfxgan: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vfxgan: stopped; finished frames are whole, the same again renders the rest", file=sys.stderr)
        return 130
    _give([path for number in sorted(files) for path in files[number]])
    return 0


def _give(files: Sequence[str]) -> None:
    """To PDG, where a scheduler of its started this."""
    if "PDG_RESULT_SERVER" not in os.environ:
        return
    sys.path.append(os.environ["PDG_SCRIPTDIR"])
    import pdgcmd  # type: ignore[import-not-found]

    for file in files:
        pdgcmd.addOutputFile(file, result_data_tag=TAG)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    here = Path(__file__).absolute().parents[1]
    sys.path[:1] = [str(here), str(here.parents[1] / "client")]  # in place of the script's own folder
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main(sys.argv[1:]))
