"""vfxgan in Nuke."""
