"""Nuke runs this at every start, farm sessions too: it puts vfxgan's Python folders on the path, and does no more."""

import sys
from pathlib import Path

_here = Path(__file__).resolve().parent
for _folder in (str(_here), str(_here.parent / "client")):
    if _folder not in sys.path:
        sys.path.append(_folder)  # at the end: no module of the studio is hidden by one of ours
