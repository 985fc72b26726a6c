"""Stand-ins for Nuke's and Houdini's modules that record what a plug-in does, and refuse what those do not have.

Every public name that is touched is looked up in the published stubs (`types-nuke`, `types-houdini`), and every call is
bound to the signature there: one that does not fit fails the test. Many of Nuke's stubs say `*args, **kwargs`; of
those only the name is checked, and `Call.is_checked` says so. `pdg` and `nukescripts` have no stubs: `unstubbed.py`
lists the names that may be used, each with the page that documents it.

A double does what its code here says and no more. It is no Nuke: what was never run in the real program is not proven.
"""
