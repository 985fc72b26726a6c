"""Nuke, Houdini and the client they share: standard library only. Nothing of ours is loaded into a host's process."""
