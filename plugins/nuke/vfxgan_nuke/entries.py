"""The entries of the menus: each asks vfxgan in the background, shows a panel, and renders in the background.

Nothing here waits in Nuke's main thread for anything but the artist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar, Union

import nuke

from vfxgan_client import Withdrawn
from vfxgan_nuke import browsing, generating, processing
from vfxgan_nuke.at_hand import GENERATOR, HERE, TRANSLATOR, UPSCALER, AtHand, look_up
from vfxgan_nuke.background import in_background
from vfxgan_nuke.errors import Refusal, RenderCancelled, RenderFailed
from vfxgan_nuke.orders import Elements, Plates
from vfxgan_nuke.panel import Answers, Field, ask_for, with_answers
from vfxgan_nuke.read_node import make_read
from vfxgan_nuke.rendering import Rendered, Shown, render
from vfxgan_nuke.script import Plate, Script, read_script, selected_plate
from vfxgan_nuke.submitting import submit

LOOKING = "vfxgan: models and project"
BAD_USAGE = 2  # exit code: nothing was started, so that the panel can be corrected
NAMED_LINES = 10

OrderT = TypeVar("OrderT")
Order = Union[Elements, Plates]


def generate(wish: generating.Wish | None = None, beside: str = "") -> None:
    """*Generate elements from seeds…*, or the picks of a sheet."""
    script, wished = read_script(), wish or generating.Wish()
    if beside:
        script = replace(script, beside=beside)

    def looked_up(shown: Shown) -> tuple[AtHand, str]:
        at_hand = look_up([GENERATOR], script.path, script.folder, shown.is_cancelled)
        return at_hand, at_hand.output(at_hand.models[0], shown.is_cancelled)

    def show(found: tuple[AtHand, str]) -> None:
        at_hand, output = found
        with_refusals(lambda: _generate(script, at_hand, output, generating.fields(script, at_hand, output, wished)))

    in_background(LOOKING, looked_up, show, say)


def process() -> None:
    """*Process selected Read…*"""
    with_refusals(_process)


def browse() -> None:
    """*Browse seeds…*"""
    script = read_script()

    def looked_up(shown: Shown) -> tuple[AtHand, str]:
        at_hand = look_up([GENERATOR], script.path, script.folder, shown.is_cancelled)
        return at_hand, browsing.default_sheet(at_hand)

    def show(found: tuple[AtHand, str]) -> None:
        _browse(script, found[0], browsing.fields(*found))

    in_background(LOOKING, looked_up, show, say)


def render_picks(sheet: nuke.Node) -> None:
    """The button of a sheet's Read."""
    with_refusals(lambda: generate(browsing.wish_of(sheet), sheet.fullName()))


def _generate(script: Script, at_hand: AtHand, output: str, fields: Sequence[Field]) -> None:
    asked = _asked("Generate elements from seeds", fields, lambda answers: generating.order(answers, at_hand, script))
    if asked is None:
        return
    answers, order = asked
    work = _Work(
        at_hand, script.beside, again=lambda: _generate(script, at_hand, output, with_answers(fields, answers))
    )
    if answers["out"] == output and answers["model"] != at_hand.models[0].label:
        chosen = at_hand.model(answers["model"])
        work.name_output = lambda shown: at_hand.output(chosen, shown.is_cancelled)
    work.start(order, answers["place"])


def _process() -> None:
    script = read_script()
    plate = selected_plate(script)

    def looked_up(shown: Shown) -> tuple[AtHand, str]:
        at_hand = look_up([UPSCALER, TRANSLATOR], script.path, script.folder, shown.is_cancelled)
        model = at_hand.models[0]
        name = processing.frames_name(plate, model.name)
        return at_hand, at_hand.output(model, shown.is_cancelled, name, plate.file)

    def show(found: tuple[AtHand, str]) -> None:
        at_hand, output = found
        _ask_process(plate, at_hand, output, processing.fields(plate, at_hand, output))

    in_background(LOOKING, looked_up, show, say)


def _ask_process(plate: Plate, at_hand: AtHand, output: str, fields: Sequence[Field]) -> None:
    asked = _asked("Process selected Read", fields, lambda answers: processing.order(answers, at_hand, plate))
    if asked is None:
        return
    answers, order = asked
    again = with_answers(fields, answers)
    work = _Work(at_hand, plate.node, again=lambda: _ask_process(plate, at_hand, output, again), like=plate.node)
    if answers["out"] == output and answers["model"] != at_hand.models[0].label:
        chosen = at_hand.model(answers["model"])
        name = processing.frames_name(plate, chosen.name)
        work.name_output = lambda shown: at_hand.output(chosen, shown.is_cancelled, name, plate.file)
    work.start(order, answers["place"])


def _browse(script: Script, at_hand: AtHand, fields: Sequence[Field]) -> None:
    asked = _asked("Browse seeds", fields, lambda answers: browsing.order(answers, at_hand, script))
    if asked is None:
        return
    answers, order = asked

    def made(rendered: Rendered) -> None:
        with_refusals(lambda: browsing.make_sheet(order, rendered, script.beside))
        say_lines(rendered.lines)

    def refused(error: Exception) -> None:
        say(error)
        if _is_bad_usage(error):
            _browse(script, at_hand, with_answers(fields, answers))

    in_background("vfxgan: seeds on a sheet", lambda shown: browsing.draw(at_hand, order, shown), made, refused)


def _asked(title: str, fields: Sequence[Field], order_of: Callable[[Answers], OrderT]) -> tuple[Answers, OrderT] | None:
    """Show the panel until its answers make an order, or it is cancelled; a refusal keeps them in it."""
    shown = list(fields)
    while True:
        answers = ask_for(title, shown)
        if answers is None:
            return None
        try:
            return answers, order_of(answers)
        except Refusal as refusal:
            say(refusal)
            shown = with_answers(shown, answers)


class _Work:
    """An order on its way: here with a progress bar and a Read at the end, or to the farm.

    Attributes:
        beside: full name of the node, beside which the Read goes.
        again: shows the panel as it was, where the command refuses its answers.
        name_output: asks where frames go, of a model that the panel's output was not for; in the background.
    """

    def __init__(self, at_hand: AtHand, beside: str, again: Callable[[], None], like: str = "") -> None:
        self.at_hand, self.beside, self.again, self.like = at_hand, beside, again, like
        self.name_output: Callable[[Shown], str] | None = None

    def start(self, order: Order, place: str) -> None:
        """Start it, and return."""
        if place == HERE:
            in_background("vfxgan: render", lambda shown: self._render(order, shown), self._make_read, self._refused)
        else:
            in_background("vfxgan: to the farm", lambda shown: self._submit(order, shown), say_lines, self._refused)

    def _render(self, order: Order, shown: Shown) -> Rendered:
        return render(self.at_hand.command, self._named(order, shown), self.at_hand.folder, shown)

    def _submit(self, order: Order, shown: Shown) -> list[str]:
        at_hand = self.at_hand
        assert at_hand.farm is not None
        return submit(at_hand.command, self._named(order, shown), at_hand.farm, at_hand.folder, shown.is_cancelled)

    def _named(self, order: Order, shown: Shown) -> Order:
        if self.name_output is None:
            return order
        named = replace(order, out=self.name_output(shown))
        named.check()
        return named

    def _make_read(self, rendered: Rendered) -> None:
        try:
            make_read(rendered, self.beside, self.like)
        except Refusal as refusal:
            say(Refusal(f"{refusal}; the frames are in {rendered.out}"))
        say_lines(rendered.lines)

    def _refused(self, error: Exception) -> None:
        say(error)
        if _is_bad_usage(error):
            self.again()


def _is_bad_usage(error: Exception) -> bool:
    return isinstance(error, Refusal) or (isinstance(error, RenderFailed) and error.code == BAD_USAGE)


def with_refusals(action: Callable[[], object]) -> None:
    """Do it; what it refuses is one line for the artist."""
    try:
        action()
    except Refusal as refusal:
        say(refusal)


def say(error: Exception) -> None:
    """One line; nothing of what the artist cancelled."""
    if not isinstance(error, (RenderCancelled, Withdrawn)):
        nuke.message(f"vfxgan: {' '.join(str(error).split())}")


def say_lines(lines: Sequence[str]) -> None:
    """What an artist should know of a render that came to its end; nothing for nothing."""
    if lines:
        more = [f"… and {len(lines) - NAMED_LINES} more"] if len(lines) > NAMED_LINES else []
        nuke.message("\n".join(["vfxgan:", *lines[:NAMED_LINES], *more]))
