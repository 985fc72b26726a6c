"""The signatures of a sequence: who signed its frames, and which of these signatures do not hold."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vfxgan.errors import ImageError, MissingExtraError
from vfxgan.images import one_line
from vfxgan.render.certificates import read_anchors
from vfxgan.render.provenance import Checker, Signature
from vfxgan.render.request import usable_cores
from vfxgan.render.signing import is_signed, sidecar_of, signature_of

NAMED_SIGNERS = 3


@dataclass(frozen=True)
class SignatureRules:
    """What is asked of signatures.

    Attributes:
        trust: PEM file of the authorities that signers must come from; None: that is not asked.
        required: every frame must be signed, by a certificate that is valid today.
    """

    trust: Path | None = None
    required: bool = False


@dataclass(frozen=True)
class SignatureReport:
    """What was found.

    Attributes:
        problems: by frame, one line each without its path.
        said: to be put after "5 frames are whole": ", 5 of them signed by …"; "" where none is signed.
        strangers: some hold, and are of signers for whom nobody vouches; a render keeps these.
        folders: that are where manifests belong; a render does not remove them.
    """

    problems: dict[Path, str]
    said: str = ""
    strangers: bool = False
    folders: tuple[Path, ...] = ()


def check_signatures(paths: Sequence[Path], rules: SignatureRules) -> SignatureReport:
    """Hold frames that are whole against their manifests, on all cores.

    Frames without one are passed over unless signatures are required; the library is only asked for where it is needed.

    Raises:
        UsageError: `--trust` cannot be read.
        MissingExtraError: signatures are to be judged, and the extra `sign` is not installed.
    """
    anchors = None if rules.trust is None else read_anchors(rules.trust)
    must_judge = rules.required or anchors is not None
    signed = [path for path in paths if is_signed(path)]
    unsigned = {path: "is not signed" for path in paths if path not in set(signed)} if must_judge else {}
    if not signed:
        return SignatureReport(unsigned)
    try:
        checker = Checker(anchors)
    except MissingExtraError as error:
        if must_judge:
            raise
        return SignatureReport({}, f", {len(signed)} of them signed, which was not checked ({error})")
    found = dict(_signatures(signed, checker))
    problems = {path: problem for path, one in found.items() if (problem := _problem(one, rules))}
    good = [one for path, one in found.items() if path not in problems]
    strangers = any(one.trusted is False and not (one.problem or one.expired) for one in found.values())
    # In the order of the frames, as they are listed.
    wrong = {path: text for path in paths if (text := unsigned.get(path) or problems.get(path))}
    beside = [sidecar_of(path) for path in problems if path.suffix.lower() != ".png"]
    folders = tuple(path for path in beside if path.is_dir())
    return SignatureReport(wrong, _said(good, rules), strangers, folders)


def describe_signature(path: Path) -> str | None:
    """One line on a frame's manifest; None where it has none."""
    if not is_signed(path):
        return None
    try:
        signature = signature_of(path, Checker())
    except MissingExtraError as error:
        return f"not checked ({error})"
    if signature is None or signature.problem:
        return signature.problem if signature is not None else None
    return f"by {signature.signer}" + (", with a certificate that has expired since" if signature.expired else "")


def _signatures(paths: Sequence[Path], checker: Checker) -> Iterator[tuple[Path, Signature]]:
    def look(path: Path) -> Signature:
        try:
            return signature_of(path, checker) or Signature("its manifest was removed meanwhile")
        except ImageError as error:
            return Signature(str(error).removeprefix(f"{path}: "))

    with ThreadPoolExecutor(usable_cores()) as pool:
        yield from zip(paths, pool.map(look, paths), strict=True)


def _problem(signature: Signature, rules: SignatureRules) -> str:
    if signature.problem:
        return signature.problem
    if signature.expired and (rules.required or rules.trust is not None):
        return f"signed by {signature.signer}, whose certificate has expired, and no timestamp says when it was signed"
    if signature.trusted is False:
        return f"signed by {signature.signer}, for whom nobody in {rules.trust} vouches"
    return ""


def _said(good: Sequence[Signature], rules: SignatureRules) -> str:
    if not good:
        return ""
    names = Counter(one.signer for one in good).most_common()
    signers = " and ".join(one_line(name) for name, _ in names[:NAMED_SIGNERS]) + " and others" * (
        len(names) > NAMED_SIGNERS
    )
    expired = sum(one.expired for one in good)
    how = "not checked against a trust list" if rules.trust is None else f"trusted by {rules.trust}"
    how += f", {expired} with a certificate that has expired since" if expired else ""
    return f", {len(good)} of them signed by {signers} ({how})"
