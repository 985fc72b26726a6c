"""Nuke runs this at a start with a window: the entries of the Vfxgan menus.

Nothing of vfxgan is loaded, looked for or started before an entry is chosen: each is a line of Python for then.
"""

import nuke

ENTRIES = (
    ("Generate elements from seeds…", "generate", "Render seeds of a generator to a sequence, and read it"),
    ("Process selected Read…", "process", "Send the selected Read's frames through an upscaler or a translator"),
    ("Browse seeds…", "browse", "Look at many seeds on one sheet, and render those that you pick"),
)


def _add_entries() -> None:
    for bar in ("Nuke", "Nodes"):  # the menu bar, and the toolbar with the node graph's own menu
        menu = nuke.menu(bar).addMenu("Vfxgan")
        for label, name, tooltip in ENTRIES:
            menu.addCommand(label, f"import vfxgan_nuke.entries; vfxgan_nuke.entries.{name}()", tooltip=tooltip)


_add_entries()
