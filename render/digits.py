"""Digits of our own: a label looks the same on every machine, whichever fonts it has."""

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH, GAP = 7, 5, 1

_GLYPHS = {
    "0": ".###. #...# #..## #.#.# ##..# #...# .###.",
    "1": "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.",
    "2": ".###. #...# ....# ...#. ..#.. .#... #####",
    "3": "##### ...#. ..#.. ...#. ....# #...# .###.",
    "4": "...#. ..##. .#.#. #..#. ##### ...#. ...#.",
    "5": "##### #.... ####. ....# ....# #...# .###.",
    "6": "..##. .#... #.... ####. #...# #...# .###.",
    "7": "##### ....# ...#. ..#.. .#... .#... .#...",
    "8": ".###. #...# #...# .###. #...# #...# .###.",
    "9": ".###. #...# #...# .#### ....# ...#. .##..",
    "-": "..... ..... ..... ##### ..... ..... .....",
}


def draw_number(number: int, scale: int) -> NDArray[np.bool_]:
    """A mask of the number, [7·scale, n·6·scale − scale]."""
    columns = []
    for place, digit in enumerate(str(number)):
        if place:
            columns.append(np.zeros((HEIGHT, GAP), bool))
        columns.append(np.array([[mark == "#" for mark in row] for row in _GLYPHS[digit].split()]))
    return np.kron(np.hstack(columns), np.ones((scale, scale), bool))
