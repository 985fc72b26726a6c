"""vfxgan in Houdini."""
