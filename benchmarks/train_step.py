"""One training iteration of ours against a bare PyTorch loop over the same networks and losses.

The bare loop has its batch in memory, draws its latents, steps both networks, and does nothing else: no data to load,
no averaged weights, no log, no checks. Ours is `vfxgan train` as a user runs it, timed from one iteration to the next,
data from a worker process. Both take turns, iteration by iteration, so that a noisy machine is noisy to both.

python benchmarks/train_step.py [--families dcgan,pix2pix,srgan] [--iterations 30] [--accelerator cuda] [--json FILE]
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vfxgan.progress import progress
from vfxgan.trainer.data.loader import Loader, Places, Share
from vfxgan.trainer.dataset import DatasetJob, write_dataset
from vfxgan.trainer.loop import Run
from vfxgan.trainer.recipes import RECIPES
from vfxgan.trainer.recipes.base import GENERATOR, Recipe
from vfxgan.trainer.session import open_fabric, settle

WARM = 5
Iteration = Callable[[], None]


@dataclass(frozen=True)
class Case:
    """A family at a size that says something, and its bare loop."""

    family: str
    options: dict[str, Any]
    bare: Callable[[dict[str, nn.Module], dict[str, Tensor], Recipe], Iteration]


def adam(net: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)


def bare_dcgan(nets: dict[str, nn.Module], batch: dict[str, Tensor], recipe: Recipe) -> Iteration:
    """As in the PyTorch project's own DCGAN example: one generated batch serves both steps."""
    generator, judge = nets[GENERATOR], nets["discriminator"]
    of_generator, of_judge = adam(generator), adam(judge)
    count, entries = len(batch["real"]), recipe.spec(0).input.size  # type: ignore[union-attr]

    def iterate() -> None:
        fake = generator((torch.rand(count, entries) * 2 - 1).to(batch["real"].device))
        of_judge.zero_grad(set_to_none=True)
        loss = F.softplus(judge(fake.detach())).mean() + F.softplus(-judge(batch["real"])).mean()
        loss.backward()
        of_judge.step()
        judge.requires_grad_(False)
        of_generator.zero_grad(set_to_none=True)
        F.softplus(-judge(fake)).mean().backward()
        of_generator.step()
        judge.requires_grad_(True)

    return iterate


def bare_pix2pix(nets: dict[str, nn.Module], batch: dict[str, Tensor], recipe: Recipe) -> Iteration:
    generator, judge = nets[GENERATOR], nets["discriminator"]
    of_generator, of_judge = adam(generator), adam(judge)
    source, target = batch["source"], batch["target"]

    def logits(picture: Tensor) -> Tensor:
        seen = judge(torch.cat([source, picture], 1))
        while not isinstance(seen, Tensor):  # scales and features: the last of the last
            seen = seen[-1]
        return seen

    def iterate() -> None:
        fake = generator(source)
        of_judge.zero_grad(set_to_none=True)
        (F.softplus(logits(fake.detach())).mean() + F.softplus(-logits(target)).mean()).backward()
        of_judge.step()
        judge.requires_grad_(False)
        of_generator.zero_grad(set_to_none=True)
        (F.softplus(-logits(fake)).mean() + 100 * F.l1_loss(fake, target)).backward()
        of_generator.step()
        judge.requires_grad_(True)

    return iterate


def bare_srgan(nets: dict[str, nn.Module], batch: dict[str, Tensor], recipe: Recipe) -> Iteration:
    generator, judge = nets[GENERATOR], nets["discriminator"]
    of_generator, of_judge = adam(generator), adam(judge)
    low, high = batch["low"], batch["high"]

    def relative(higher: Tensor, lower: Tensor) -> Tensor:
        return (F.softplus(lower.mean() - higher).mean() + F.softplus(lower - higher.mean()).mean()) / 2

    def iterate() -> None:
        fake = generator(low)
        of_judge.zero_grad(set_to_none=True)
        relative(judge(high), judge(fake.detach())).backward()
        of_judge.step()
        judge.requires_grad_(False)
        of_generator.zero_grad(set_to_none=True)
        (F.l1_loss(fake, high) + 5e-3 * relative(judge(fake), judge(high))).backward()
        of_generator.step()
        judge.requires_grad_(True)

    return iterate


CASES = [
    Case(
        "dcgan",
        {
            "size": 64,
            "batch": 32,
            "channels": (256, 128, 64, 32),
            "discriminator_channels": (32, 64, 128, 256),
            "extra_step_every": 0,
        },
        bare_dcgan,
    ),
    Case("pix2pix", {"crop": 128, "batch": 4, "depth": 7, "width": 32, "discriminator_width": 32}, bare_pix2pix),
    Case(
        "srgan",
        {
            "scale": 2,
            "crop": 96,
            "batch": 8,
            "blocks": 8,
            "width": 48,
            "discriminator_width": 32,
            "pretrain": 0,
            "perceptual": "none",
        },
        bare_srgan,
    ),
]


class Pairing:
    """Stands in for the progress bar: after each iteration of ours, one of each bare loop, all timed.

    What slows the machine for a second slows them all.
    """

    def __init__(self, bare: dict[str, Iteration]) -> None:
        self.bare = bare
        self.times: dict[str, list[float]] = {"ours": [], **{name: [] for name in bare}}
        self.started: float | None = None

    def __enter__(self) -> "Pairing":
        return self

    def __exit__(self, *reason: Any) -> None: ...

    def skip(self, count: int) -> None: ...

    def warn(self, message: str) -> None: ...

    def advance(self, **facts: Any) -> None:
        now = settled()
        if self.started is not None:
            self.times["ours"].append(now - self.started)
            for name, iterate in self.bare.items():
                start = settled()
                iterate()
                self.times[name].append(settled() - start)
        self.started = settled()

    def warmed(self, name: str) -> list[float]:
        return self.times[name][WARM:]


def settled() -> float:
    """The time when the device has done all it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(case: Case, data: Path, scratch: Path, iterations: int, accelerator: str) -> dict[str, Any]:
    total = WARM + iterations + 2  # the first has no start, the last is followed by the last entries of the log
    own = {"data": str(data), "iterations": total, "validate_every": 0, "accelerator": accelerator}
    own |= {"target": str(data)} if case.family == "pix2pix" else {}
    recipe_type = RECIPES[case.family]
    options = settle(recipe_type.options_type(**own, **case.options), None)
    recipe = recipe_type(options)
    samples = recipe.load_data(scratch / case.family, "none")
    fabric = open_fabric(options, recipe)
    batch = next(iter(Loader(samples, Places(0, 1, Share(recipe.batch_size)), 0, fabric.device)))
    half = options.precision == "bf16-mixed"
    pairing = Pairing(
        {
            "bare": bare_loop(case, recipe, batch, fabric.device, torch.channels_last, half),
            "bare_contiguous": bare_loop(case, recipe, batch, fabric.device, torch.contiguous_format, half),
            "bare_bf16": bare_loop(case, recipe, batch, fabric.device, torch.channels_last, True),
        }
    )
    folder = scratch / f"{case.family}-run"
    folder.mkdir(parents=True)
    Run(folder, case.family, recipe, options, fabric).train(samples, pairing)
    ratios = sorted(ours / bare for ours, bare in zip(pairing.warmed("ours"), pairing.warmed("bare"), strict=True))
    medians = {f"{name}_ms": round(1000 * statistics.median(pairing.warmed(name)), 1) for name in pairing.times}
    quartiles = [round(ratios[len(ratios) // 4], 3), round(ratios[3 * len(ratios) // 4], 3)]
    facts = {"family": case.family, "options": case.options, "precision": options.precision}
    return {**facts, **medians, "ratio": round(statistics.median(ratios), 3), "ratio_quartiles": quartiles}


def bare_loop(
    case: Case, recipe: Recipe, batch: dict[str, Tensor], device: torch.device, layout: torch.memory_format, half: bool
) -> Iteration:
    nets = {
        name: net.to(device).to(memory_format=layout)  # type: ignore[call-overload]
        for name, net in recipe.networks().items()
    }
    iterate = case.bare(nets, {name: tensor.contiguous(memory_format=layout) for name, tensor in batch.items()}, recipe)

    def in_precision() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            iterate()

    return in_precision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default="dcgan,pix2pix,srgan")
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--accelerator", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts: dict[str, Any] = {"torch": torch.__version__, "cores": os.cpu_count(), "machine": platform.processor()}
    facts["families"] = []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "elements"
        write_dataset(DatasetJob("elements", data, 64, 128, 1), progress("none", "", 64))
        for case in (case for case in CASES if case.family in arguments.families.split(",")):
            found = measure(case, data, Path(name), arguments.iterations, arguments.accelerator)
            facts["families"].append(found)
            print(
                f"{case.family}: ours {found['ours_ms']} ms, bare {found['bare_ms']} ms, "
                f"ratio {found['ratio']} (quartiles {found['ratio_quartiles'][0]}, {found['ratio_quartiles'][1]}); "
                f"bare without channels_last {found['bare_contiguous_ms']} ms, in bf16 {found['bare_bf16_ms']} ms",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
