"""Architectures by the name that stands in ModelSpec. One network per file."""

from collections.abc import Callable

from torch import nn

from vfxgan.errors import ModelError
from vfxgan.spec import ModelSpec
from vfxgan.trainer.networks.dcgan import DcganGenerator
from vfxgan.trainer.networks.dcgan_progressive import ProgressiveGenerator
from vfxgan.trainer.networks.resnet_translator import ResnetTranslator
from vfxgan.trainer.networks.rrdb import RRDBNet
from vfxgan.trainer.networks.srresnet import SRResNet
from vfxgan.trainer.networks.unet import UnetGenerator

GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "dcgan": DcganGenerator,
    "pix2pix-unet": UnetGenerator,
    "pix2pix-resnet": ResnetTranslator,
    "srresnet": SRResNet,
    "rrdb": RRDBNet,
    "dcgan-progressive": ProgressiveGenerator,
}


def build_generator(spec: ModelSpec) -> nn.Module:
    """The network that a spec describes, untrained.

    Raises:
        ModelError: an unknown architecture, or arguments that it does not take.
    """
    if spec.architecture not in GENERATORS:
        raise ModelError(f"{spec.name}: unknown architecture {spec.architecture!r}; known: {', '.join(GENERATORS)}")
    try:
        return GENERATORS[spec.architecture](**spec.arguments)
    except (TypeError, ValueError, RuntimeError, MemoryError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{spec.name}: {spec.architecture} cannot be built from its arguments: {reason}") from error
