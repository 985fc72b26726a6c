"""Seeds and the latents they stand for. The stream is frozen: see docs/decisions/0002-seeds.md."""

import re
from pathlib import Path

import fileseq
import numpy as np
from numpy.typing import NDArray

from vfxgan.errors import UsageError
from vfxgan.spec import LatentInput

SEED_LIMIT = 2**32
MAX_FRAMES = 1_000_000


def latent(seed: int, spec: LatentInput, interval: float | None = None) -> NDArray[np.float32]:
    """The latent of one seed.

    Args:
        seed: 0 … 2³²−1.
        spec: size and distribution.
        interval: overrides the spec's half-width (uniform) or standard deviation (normal).
    Returns:
        [1, size] float32. NumPy guarantees `RandomState`'s stream for good, so next year's latent is the same.
    Raises:
        UsageError: the seed is out of range.
    Source:
        NumPy NEP 19; the use of RandomState(seed) per picture follows the StyleGAN tools.
    """
    if not 0 <= seed < SEED_LIMIT:
        raise UsageError(f"seed {seed} is outside 0 … {SEED_LIMIT - 1}")
    half_width = spec.interval if interval is None else interval
    stream = np.random.RandomState(seed)
    if spec.distribution == "uniform":
        values = stream.uniform(-half_width, half_width, spec.size)
    else:
        values = stream.randn(spec.size) * half_width
    return values.astype(np.float32)[None]


def parse_seeds(text: str) -> list[int]:
    """Seeds in the order given: `0-499`, `1-100x2,205`, or `@picks.txt` (a list in a file, separated by white space).

    Raises:
        UsageError: not a range, a seed outside 0 … 2³²−1, a repeated seed in a file, or nothing at all.
    """
    if text.startswith("@"):
        return _seeds_of_file(Path(text[1:]))
    return _seeds_of_range(text, f"--seeds {text!r}")


def _seeds_of_file(path: Path) -> list[int]:
    try:
        body = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--seeds @{path}: cannot be read ({error}); give a text file with one seed a line") from error
    words = re.sub(r"#.*", "", body).split()
    seeds = [seed for word in words for seed in _seeds_of_range(word, f"--seeds @{path}: {word!r}")]
    repeated = sorted({seed for seed in seeds if seeds.count(seed) > 1}) if len(set(seeds)) < len(seeds) else []
    if repeated:
        raise UsageError(f"--seeds @{path}: seed {repeated[0]} is listed twice; list each once")
    if not seeds:
        raise UsageError(f"--seeds @{path}: holds no seed; write one a line")
    return seeds


def _seeds_of_range(text: str, source: str) -> list[int]:
    remedy = "write 0-499, 0-499x2 or 1,5,9"
    for first, last, step in re.findall(r"(\d+)\s*-\s*(\d+)(?:[x:y](\d+))?", text):
        if abs(int(last) - int(first)) // max(int(step or 1), 1) >= MAX_FRAMES:
            raise UsageError(f"{source}: more than {MAX_FRAMES} seeds in one run; {remedy}")
    try:
        numbers = list(fileseq.FrameSet(text))
    except (fileseq.ParseException, ValueError, OverflowError, MemoryError) as error:
        raise UsageError(f"{source} is not a range of seeds; {remedy}") from error
    if not numbers:
        raise UsageError(f"{source} holds no seed; {remedy}")
    for number in numbers:
        if int(number) != number:
            raise UsageError(f"{source}: {number} is not a whole number; {remedy}")
        if not 0 <= number < SEED_LIMIT:
            raise UsageError(f"{source}: seed {number} is outside 0 … {SEED_LIMIT - 1}")
    return [int(number) for number in numbers]
