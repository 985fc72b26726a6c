"""What is ordered of vfxgan, as data: panels and farm scripts fill these, and each gives its command line."""

from __future__ import annotations

from dataclasses import dataclass

from vfxgan_nuke.errors import Refusal
from vfxgan_nuke.sequences import check_frames, check_seeds, check_sequence, check_target, is_sequence

FLOAT, HALF = "float", "half"


@dataclass(frozen=True)
class Elements:
    """Elements from seeds.

    Attributes:
        model: file of a generator, or the name of a packaged one.
        out: sequence, with the whole path.
        seeds: `0-99`, `7,205,31`, `@picks.txt`.
        start_frame: the first seed's frame; None: seed s is frame s.
        walk: frames of a smooth path through the seeds, `1001-1100`; then start_frame has no meaning.
        colourspace: of the EXR; None: as the project or vfxgan says.
        upscale: enlarge each picture with the packaged upscaler.
        bit_depth: `half`, `float`; None: as vfxgan says.
    """

    model: str
    out: str
    seeds: str
    start_frame: int | None = None
    walk: str = ""
    colourspace: str | None = None
    upscale: bool = False
    bit_depth: str | None = None

    def check(self) -> None:
        """Raises: Refusal: something can be seen to be wrong before a start."""
        check_seeds(self.seeds)
        if self.walk:
            check_frames(self.walk)
        check_target(self.out)
        if self.walk or not self.seeds.isdigit():
            check_sequence(self.out)

    def arguments(self) -> list[str]:
        """Of `vfxgan render`, and of `vfxgan submit`."""
        source = [f"--walk={self.walk}", "--keys", self.seeds] if self.walk else ["--seeds", self.seeds]
        if self.start_frame is not None and not self.walk:
            source.append(f"--start-frame={self.start_frame}")  # one word: the number may begin with a minus
        return [
            "--model",
            self.model,
            *source,
            "--out",
            self.out,
            *_option("--colorspace", self.colourspace),
            *_option("--bit-depth", self.bit_depth),
            *(["--upscale"] if self.upscale else []),
        ]


@dataclass(frozen=True)
class Plates:
    """Plates through an upscaler or a translator.

    Attributes:
        model: file of the model, or the name of a packaged one.
        plates: sequence or file, without expressions.
        frames: of the sequence, by the files' numbers; "" for a single file.
        in_colourspace: that the plates are in; None: as their files say.
        keep_channels: carry other layers, scaled by what they are.
        mix: 1 the network's picture, 0 a plain resize.
    """

    model: str
    out: str
    plates: str
    frames: str = ""
    in_colourspace: str | None = None
    keep_channels: bool = False
    mix: float = 1.0

    def check(self) -> None:
        """Raises: Refusal: something can be seen to be wrong before a start."""
        if is_sequence(self.plates):
            check_frames(self.frames)
        check_target(self.out)
        if is_sequence(self.plates):
            check_sequence(self.out)
        if self.plates == self.out:
            raise Refusal(f"output {self.out} is the plate itself; choose another name")
        if "%V" in self.plates and "%V" not in self.out:
            raise Refusal(f"output {self.out}: the plate has views (%V); put %V into the output too")
        if not 0 <= self.mix <= 1:
            raise Refusal(f"mix {self.mix:g} is outside 0 … 1")

    def arguments(self) -> list[str]:
        """Of `vfxgan render`, and of `vfxgan submit`."""
        return [
            "--model",
            self.model,
            "--in",
            self.plates,
            "--out",
            self.out,
            *([f"--frames={self.frames}"] if self.frames else []),
            *_option("--in-colorspace", self.in_colourspace),
            *(["--keep-channels"] if self.keep_channels else []),
            *(["--mix", f"{self.mix:g}"] if self.mix != 1 else []),
        ]


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]
