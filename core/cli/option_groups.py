"""The help of a command with many options, in sections."""

from typing import Any

from typer.core import TyperCommand

# Of `vfxgan render`: the option that each section begins with.
SECTIONS = {
    "out": "Source and target",
    "walk": "A walk through seeds, an upscaler behind a generator",
    "bit_depth": "Colour and file",
    "layer": "Which pictures of a plate",
    "mix": "What the picture is made of",
    "runtime": "Where and how it runs",
    "overwrite": "What is there already",
    "preview": "To look at",
    "progress": "Options",
}


class SectionedCommand(TyperCommand):
    """Shows its options under the headings of `SECTIONS`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Called by the parser; arguments first, as it does itself."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        heading = next(iter(SECTIONS.values()))
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            heading = SECTIONS.get(str(parameter.name), heading)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                sections.setdefault("Arguments" if is_argument else heading, []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
