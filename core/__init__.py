"""vfxgan: trained GANs to frames in a shot. What the stages share lives here; each stage is a package below."""

__version__ = "0.1.0"
