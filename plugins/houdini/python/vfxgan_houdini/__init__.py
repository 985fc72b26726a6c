"""vfxgan in Houdini: shelf tools, work items of TOP networks, and the File COP that shows the frames.

Nothing of vfxgan but its client is loaded here; frames are made by the `vfxgan` command, in a process of its own.
`shelf` holds what the buttons call, `tops` what a Python Processor calls, `item` what a farm runs.
"""
