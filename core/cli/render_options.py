"""The options of `vfxgan render`: what each is called, and its line of help."""

from pathlib import Path
from typing import Annotated

import typer

from vfxgan.cli.shared import BackgroundChoice

# Source and target
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        help="Frames to write, quoted: 'shot010/####.exr' or .png; %V is a view. Default: vfxgan.toml's convention.",
    ),
]
Shot = Annotated[str | None, typer.Option("--shot", help="Without --out: {shot} of the convention in vfxgan.toml.")]
Version = Annotated[
    str | None, typer.Option("--version", help="Without --out: next for a new version, v003 or latest to go on.")
]
Model = Annotated[str | None, typer.Argument(help="Model file, or the name of a packaged model.")]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="The same as MODEL. Default: $VFXGAN_MODEL, vfxgan.toml, the packaged one."),
]
Seeds = Annotated[str | None, typer.Option("--seeds", help="0-499, 1-100x2,205, or @picks.txt (a file, in its order).")]
Plates = Annotated[
    str | None,
    typer.Option(
        "--in", help="Plates to upscale or translate (EXR, PNG, TIFF, DPX), quoted: 'plate/####.exr'; %V is a view."
    ),
]
Frames = Annotated[
    str | None,
    typer.Option(
        "--frames",
        help="Some of the frames: 1001-1100, 1001-1100x2. Default: all of the seeds or the walk; plates on disk.",
    ),
]
SkipMissing = Annotated[
    bool, typer.Option("--skip-missing", help="Plates that --frames names and that are not there are no failure.")
]
Handles = Annotated[int, typer.Option("--handles", min=0, help="So many frames more on each side, where on disk.")]
Like = Annotated[str | None, typer.Option("--like", help="Take model, seed and options from this frame's recipe.")]
StartFrame = Annotated[
    int | None, typer.Option("--start-frame", help="The i-th seed goes to frame N+i. Default: seed s goes to frame s.")
]

# A walk through seeds, and an upscaler behind a generator
Walk = Annotated[
    str | None,
    typer.Option(
        "--walk",
        metavar="[SPAN]",
        help="A smooth path through --keys over these frames: 1001-1100; --frames renders some of them.",
    ),
]
Keys = Annotated[
    str | None,
    typer.Option("--keys", help="Seeds that the walk passes: 0,50,100, 0@1001,50@1040,100@1100, or @picks.txt."),
]
Interpolation = Annotated[
    str | None, typer.Option("--interpolation", help="Between keys: slerp (default), linear or spline.")
]
Ease = Annotated[bool, typer.Option("--ease", help="The walk slows down to rest on each key.")]
Loop = Annotated[bool, typer.Option("--loop", help="The walk goes on from its last key to its first.")]
Upscale = Annotated[
    list[str] | None,
    typer.Option(
        "--upscale",
        metavar="[MODEL]",
        help="Enlarge the seeds' pictures in memory. Default: the packaged upscaler; again: once more.",
    ),
]

# Colour and file
BitDepth = Annotated[
    str | None, typer.Option(help="EXR: half (default; plates: as the plate) or float. PNG: 16 (default) or 8.")
]
Compression = Annotated[str | None, typer.Option(help="EXR: zips (default), zip:4, piz, dwaa:45, …")]
Colorspace = Annotated[
    str | None,
    typer.Option(help="EXR: lin_rec709 (default; plates: as the plate), ACEScg, any OCIO space. PNG is sRGB."),
]
InColorspace = Annotated[str | None, typer.Option(help="That plates are in. Default: what they say, else lin_rec709.")]
Encoding = Annotated[
    str | None, typer.Option(help="Signal that the network is given: linear, srgb or acescct. Default: the model's.")
]
BadPixels = Annotated[str | None, typer.Option(help="NaN and Inf in plates: error (default), zero or clamp.")]
Ocio = Annotated[str | None, typer.Option(help="OCIO config. Default: $OCIO, else the built-in studio config.")]
ZInterval = Annotated[
    float | None, typer.Option(help="Latents in [-a, a], not the model's a; smaller: calmer, less variety.")
]

# Which pictures of a plate
Layer = Annotated[str | None, typer.Option(help="Layer to process, such as diffuse. Default: the file's RGBA or Y.")]
Part = Annotated[str | None, typer.Option(help="Part of a multi-part EXR, by name or number. Default: what has RGB.")]
View = Annotated[str | None, typer.Option(help="View to process, such as left. Default: all of the file's.")]
KeepChannels = Annotated[
    bool, typer.Option("--keep-channels", help="Carry other channels and parts, scaled by what they are.")
]

# What the picture is made of
Mix = Annotated[
    float | None, typer.Option(help="1 (default): the network's picture; 0: the plate by Lanczos; or between.")
]
Regrain = Annotated[
    float | None, typer.Option(help="Grain that frames are to have, put back as needed; 1: the plate's. Default: none.")
]
Temporal = Annotated[
    int | None, typer.Option(help="Stabilise with N frames on each side, moved by optical flow. Default: 0.")
]
Tile = Annotated[
    int | None,
    typer.Option(
        help="Side in px of what the network sees at a time, overlap included; 0: all of it. Default: by the model, "
        "about 512."
    ),
]
TileExact = Annotated[
    bool, typer.Option("--tile-exact", help="Overlap tiles by the full receptive field: slower, equal to no tiles.")
]
TileAnyway = Annotated[
    bool, typer.Option("--tile-anyway", help="Tile a network with image-wide statistics: tiles may differ in look.")
]

# Where and how it runs
Runtime = Annotated[
    str | None, typer.Option(help="onnxruntime (default), openvino; on GPUs onnxruntime-cuda, tensorrt; or auto.")
]
Engine = Annotated[
    Path | None, typer.Option(help="With --runtime tensorrt. Default: the engine beside the model that fits.")
]
Devices = Annotated[
    str | None, typer.Option(help="Split the frames over GPUs: 0,1; or over processes on the CPU: cpu,cpu.")
]
AsDevice = Annotated[str | None, typer.Option("--as-device", hidden=True)]  # one process of --devices
CpuIsa = Annotated[
    str | None, typer.Option("--cpu-isa", help="avx2, avx512: unlike CPUs give the same bits (openvino). Or native.")
]
RequireRuntime = Annotated[
    str | None,
    typer.Option(
        "--require-runtime", help="Stop unless the fingerprint has this id, or runtime=…,device=…, or is @FRAME.exr's."
    ),
]
Threads = Annotated[int | None, typer.Option(help="Cores to use. Default: those at hand.")]
Batch = Annotated[int, typer.Option(help="Seeds handed to a thread at a time; changes no pixel.")]
# To look at
Preview = Annotated[
    Path | None, typer.Option("--preview", help="Then show the frames: a contact sheet (.png) or a film (.mp4).")
]
PreviewView = Annotated[
    str | None, typer.Option(help="View of the OCIO config, such as Un-tone-mapped. Default: ACES SDR on sRGB.")
]
PreviewSize = Annotated[int | None, typer.Option(help="Long side of the sheet or film in px. Default: 1920.")]
PreviewFps = Annotated[float | None, typer.Option(help="Of a film. Default: 24; 23.976 is 24000/1001.")]
PreviewBackground = Annotated[BackgroundChoice | None, typer.Option(help="Behind alpha. Default: black.")]
PreviewClean = Annotated[bool, typer.Option("--preview-clean", help="No frame numbers in a film's corner.")]

Sign = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--sign", metavar="CERT KEY", help="Sign frames (C2PA): certificate chain and private key, each a PEM file."
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace frames of other recipes; frames that are done stay.")
]
MixRuntimes = Annotated[bool, typer.Option("--mix-runtimes", help="Keep frames that another runtime or machine made.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")]
