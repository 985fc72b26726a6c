"""Options whose value may be left out, which typer does not have: the value is put in before it reads the line."""

import re
from collections.abc import Sequence

# Option of `vfxgan render` or `submit`: what it stands for where no value follows.
WITHOUT_VALUE = {"--upscale": "upscaler", "--walk": "keys", "--build-engine": ""}
_AN_OPTION = re.compile(r"-[^\d\s]\S*")  # -5-10 is a span of frames, and what has spaces in it is a text


def with_values(arguments: Sequence[str]) -> list[str]:
    """The command line with those values in it.

    A word that follows the option and is no option itself is its value; `--upscale=M` is left as it is.
    """
    if not {"render", "submit"} & set(arguments[:3]):
        return list(arguments)
    filled: list[str] = []
    for place, word in enumerate(arguments):
        filled.append(word)
        after = arguments[place + 1] if place + 1 < len(arguments) else None
        if word in WITHOUT_VALUE and (after is None or _AN_OPTION.fullmatch(after)):
            filled.append(WITHOUT_VALUE[word])
    return filled
