"""`--trust` and `--require-signed` of `vfxgan verify`: what is said of signatures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vfxgan.cli.verify_again import counted

if TYPE_CHECKING:
    from vfxgan.render.signature_check import SignatureReport

NAMED = 20

Trust = Annotated[
    Path | None,
    typer.Option("--trust", metavar="ANCHORS", help="PEM file of the authorities that signers must come from."),
]
RequireSigned = Annotated[
    bool, typer.Option("--require-signed", help="Every frame must be signed, by a certificate that is valid today.")
]


@dataclass(frozen=True)
class Signatures:
    """What is asked of signatures."""

    trust: Path | None = None
    required: bool = False

    def check(self) -> None:
        """Raises UsageError: `--trust` cannot be read; MissingExtraError: no extra `sign`. Before frames are read."""
        from vfxgan.render.certificates import read_anchors

        if self.trust is not None:
            read_anchors(self.trust)

    def look(self, whole: Sequence[Path]) -> "SignatureReport":
        """Hold frames that are whole against their manifests; each one that does not hold is said."""
        from vfxgan.progress import say
        from vfxgan.render.signature_check import SignatureRules, check_signatures

        report = check_signatures(whole, SignatureRules(self.trust, self.required))
        for path, problem in list(report.problems.items())[:NAMED]:
            say(f"{path}: {problem}")
        if len(report.problems) > NAMED:
            say(f"and {len(report.problems) - NAMED} more")
        return report


def raise_if_wrong(report: "SignatureReport", whole: int) -> None:
    """Raises VerifyError: frames are whole, and their signatures do not hold."""
    from vfxgan.errors import VerifyError

    count = len(report.problems)
    if count:
        subject = "is not signed as it" if count == 1 else "are not signed as they"
        raise VerifyError(
            f"{count} of {counted(whole, 'whole frame')} {subject} should be; see above; {remedy(report)}"
        )


def remedy(report: "SignatureReport") -> str:
    """What to do about signatures that are not as they should be."""
    first = "remove those that somebody else signed, and " if report.strangers else ""
    if report.folders:
        more = f" and {len(report.folders) - 1} more folders" if len(report.folders) > 1 else ""
        first += f"remove the folder {report.folders[0]}{more}, and "
    return f"{first}the same render with --sign makes these frames again"
