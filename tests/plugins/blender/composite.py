"""Run by the Python of a `bpy` installation: one sequence of frames over another, through Blender's compositor.

    python composite.py JOB.json

The job: `over` and `under` (the first file of each sequence), `offset_over` and `offset_under` (number of the first
file less one, as Blender counts), `frames` (how many), `size` (width, height), `depth` ("16" or "32"), `folder`
(existing, for the results).
Writes 0001.exr … to the folder, and prints one line of JSON: Blender's version and what it says of the first input.
"""

import json
import sys
from pathlib import Path
from typing import Any

import bpy

LINEAR = "Linear Rec.709"


def main() -> None:
    """Set a scene up from nothing, so that no preference of the user's matters."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    read = compositor(scene, job)
    settings(scene, job)
    for number in range(1, job["frames"] + 1):
        scene.frame_set(number)
        scene.render.filepath = str(Path(job["folder"]) / f"{number:04d}.exr")
        bpy.ops.render.render(write_still=True)
    print(json.dumps({"blender": bpy.app.version_string, **read}))


def compositor(scene: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Over, under, and what joins them; frames of ours are premultiplied, `use_premultiply` would do it again."""
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    over, under = (sequence(tree, job, name) for name in ("over", "under"))
    join = tree.nodes.new("CompositorNodeAlphaOver")
    join.use_premultiply = False
    target = tree.nodes.new("CompositorNodeComposite")
    tree.links.new(under.outputs["Image"], join.inputs[1])
    tree.links.new(over.outputs["Image"], join.inputs[2])
    tree.links.new(join.outputs["Image"], target.inputs["Image"])
    image = over.image
    return {"size": list(image.size), "channels": image.channels, "is_float": image.is_float, "depth": image.depth}


def sequence(tree: Any, job: dict[str, Any], name: str) -> Any:
    """An image node that reads a file sequence, as premultiplied scene-linear light."""
    node = tree.nodes.new("CompositorNodeImage")
    node.image = bpy.data.images.load(job[name])
    node.image.source = "SEQUENCE"
    node.image.colorspace_settings.name = LINEAR
    node.image.alpha_mode = "PREMUL"
    node.frame_duration, node.frame_start, node.frame_offset = job["frames"], 1, job[f"offset_{name}"]
    return node


def settings(scene: Any, job: dict[str, Any]) -> None:
    """An EXR of the compositor's pixels: no view transform, no look, no dither."""
    render = scene.render
    render.resolution_x, render.resolution_y = job["size"]
    render.resolution_percentage = 100
    render.dither_intensity = 0
    render.use_compositing, render.use_sequencer = True, False
    render.image_settings.file_format = "OPEN_EXR"
    render.image_settings.color_mode = "RGBA"
    render.image_settings.color_depth = job["depth"]
    render.image_settings.exr_codec = "ZIP"
    scene.view_settings.view_transform = "Raw"


main()
