"""`vfxgan models` and `vfxgan doctor`: what this installation has, and what it lacks."""

from typing import Annotated

import typer


def models(as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False) -> None:
    """The models at hand: packaged, $VFXGAN_MODEL, vfxgan.toml; the default is marked."""
    import json

    from vfxgan.models_at_hand import models_at_hand

    found = models_at_hand()
    if as_json:
        print(json.dumps(found))
        return
    for item in found:
        mark = "*" if item["default"] else " "
        if item["problem"]:
            print(f"{mark} {item['origin']:10s} {item['problem']}")
            continue
        size = "x".join(map(str, reversed(item["size"]))) if item["size"] else "any size"
        channels = {3: "RGB", 4: "RGBA"}[item["channels"]]
        shape = f"{item['kind']:10s} {size:10s} {channels:5s}"
        print(f"{mark} {item['name']:16s} {shape} {item['sha256'][:12]}  {item['path']}")
    if not found:
        print("no models at hand; give render a model file")


def doctor() -> None:
    """Is everything here that a render needs? Exit code 1 if the default render cannot run."""
    from vfxgan.errors import RuntimeFailure
    from vfxgan.render.doctor import examine_machine

    findings = examine_machine()
    for finding in findings:
        print(f"{finding.mark:8s} {finding.what:18s} {finding.detail}")
    missing = [finding.what.strip() for finding in findings if finding.needed and not finding.ok]
    if missing:
        raise RuntimeFailure(f"the default render cannot run: {', '.join(missing)}; see above for the remedy")
