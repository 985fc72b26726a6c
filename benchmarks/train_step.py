"""One training iteration of ours against a bare PyTorch loop over the same networks and losses.

The bare loop has its batch in memory, draws its latents, steps both networks, and does nothing else: no data to load,
no averaged weights, no log, no checks. Ours is `vfxgan train` as a user runs it, timed from one iteration to the next,
data from a worker process. Rounds of both alternate, so that a noisy machine is noisy to both.

python benchmarks/train_step.py [--families dcgan,pix2pix,srgan] [--rounds 5] [--accelerator cuda] [--json FILE]
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

WARM, TIMED = 5, 15
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

    def iterate() -> None:
        fake = generator(low)
        of_judge.zero_grad(set_to_none=True)
        (F.softplus(judge(fake.detach())).mean() + F.softplus(-judge(high)).mean()).backward()
        of_judge.step()
        judge.requires_grad_(False)
        of_generator.zero_grad(set_to_none=True)
        (F.l1_loss(fake, high) + 1e-3 * F.softplus(-judge(fake)).mean()).backward()
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


class Clock:
    """Stands in for the progress bar, and notes when each iteration was done."""

    def __init__(self) -> None:
        self.ticks: list[float] = []

    def __enter__(self) -> "Clock":
        return self

    def __exit__(self, *reason: Any) -> None: ...

    def skip(self, count: int) -> None: ...

    def warn(self, message: str) -> None: ...

    def advance(self, **facts: Any) -> None:
        self.ticks.append(time.perf_counter())

    def tick(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ticks.append(time.perf_counter())

    @property
    def iteration_s(self) -> float:
        steps = [after - before for before, after in zip(self.ticks[WARM:], self.ticks[WARM + 1 :], strict=False)]
        return statistics.median(steps)


def measure(case: Case, data: Path, scratch: Path, rounds: int, accelerator: str) -> dict[str, Any]:
    own = {"data": str(data), "iterations": WARM + TIMED + 1, "validate_every": 0, "accelerator": accelerator}
    own |= {"target": str(data)} if case.family == "pix2pix" else {}
    recipe_type = RECIPES[case.family]
    options = settle(recipe_type.options_type(**own, **case.options), None)
    recipe = recipe_type(options)
    samples = recipe.load_data(scratch / case.family, "none")
    fabric = open_fabric(options, recipe)
    batch = next(iter(Loader(samples, Places(0, 1, Share(recipe.batch_size)), 0, fabric.device)))
    found: dict[str, list[float]] = {"ours": [], "bare": [], "bare_contiguous": [], "bare_bf16": []}
    for number in range(rounds):
        folder = scratch / f"{case.family}-{number}"
        folder.mkdir(parents=True)
        clock = Clock()
        Run(folder, case.family, recipe, options, fabric).train(samples, clock)
        found["ours"].append(clock.iteration_s)
        for name, layout, half in (
            ("bare", torch.channels_last, options.precision == "bf16-mixed"),
            ("bare_contiguous", torch.contiguous_format, options.precision == "bf16-mixed"),
            ("bare_bf16", torch.channels_last, True),
        ):
            found[name].append(time_bare(case, recipe, batch, fabric.device, layout, half))
    medians = {f"{name}_ms": round(1000 * statistics.median(times), 1) for name, times in found.items()}
    ratios = [round(ours / bare, 3) for ours, bare in zip(found["ours"], found["bare"], strict=True)]
    facts = {"family": case.family, "options": case.options, "precision": options.precision}
    return {**facts, **medians, "ratio": statistics.median(ratios), "ratios": ratios}


def time_bare(
    case: Case, recipe: Recipe, batch: dict[str, Tensor], device: torch.device, layout: torch.memory_format, half: bool
) -> float:
    nets = {
        name: net.to(device).to(memory_format=layout)  # type: ignore[call-overload]
        for name, net in recipe.networks().items()
    }
    placed = {name: tensor.contiguous(memory_format=layout) for name, tensor in batch.items()}
    iterate, clock = case.bare(nets, placed, recipe), Clock()
    for _ in range(WARM + TIMED + 1):
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            iterate()
        clock.tick()
    return clock.iteration_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default="dcgan,pix2pix,srgan")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accelerator", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts: dict[str, Any] = {"torch": torch.__version__, "cores": os.cpu_count(), "machine": platform.processor()}
    facts["families"] = []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "elements"
        write_dataset(DatasetJob("elements", data, 64, 128, 1), progress("none", "", 64))
        for case in (case for case in CASES if case.family in arguments.families.split(",")):
            found = measure(case, data, Path(name), arguments.rounds, arguments.accelerator)
            facts["families"].append(found)
            print(
                f"{case.family}: ours {found['ours_ms']} ms, bare {found['bare_ms']} ms, ratio {found['ratio']}; "
                f"bare without channels_last {found['bare_contiguous_ms']} ms, in bf16 {found['bare_bf16_ms']} ms",
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
