"""Families of models by the name of their `vfxgan train` command. One recipe per file."""

from vfxgan.trainer.recipes.base import Recipe
from vfxgan.trainer.recipes.dcgan import DcganRecipe
from vfxgan.trainer.recipes.pix2pix import Pix2PixRecipe
from vfxgan.trainer.recipes.srgan import SrganRecipe

RECIPES: dict[str, type[Recipe]] = {
    "dcgan": DcganRecipe,
    "pix2pix": Pix2PixRecipe,
    "srgan": SrganRecipe,
}
