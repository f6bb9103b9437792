"""``srbench models install``: download the published weights of a card and install them."""

from __future__ import annotations

from collections.abc import Callable

from srbench.errors import BadInput
from srbench.install.fetch import Unavailable
from srbench.install.obtain import obtain
from srbench.install.places import locked, remove
from srbench.support import home
from srbench.zoo import catalog
from srbench.zoo.installed import check_intact, installed_path, place, read_record
from srbench.zoo.schema import Card
from srbench.zoo.weights import Status, status


def family(name: str) -> list[str]:
    """The models a user means by ``name``: the one of that name, or all of a family with published weights.

    ``impressionism`` stands for ``impressionism-ntire``, ``-aim`` and ``-dped``.

    Raises:
        BadInput: there is neither such a model nor such a family.
    """
    if name not in catalog.names():
        members = [n for n in catalog.names() if n.startswith(f"{name}-") and catalog.find(n).sources]
        if members:
            return members
    return [catalog.find(name).name]


def download(name: str, *, say: Callable[[str], None], progress: bool = True) -> Status:
    """Download the weights of a model, check and convert them, and keep them in the srbench home.

    Args:
        name: a model of the zoo. One that is installed already and intact is left alone.
        say: told what is done, a line each, and under which licence.
        progress: show progress bars on a terminal.

    Returns:
        The model's new status.

    Raises:
        BadInput: unknown, or needs no weights; only a person can fetch it (the message says where it is and
            how to install it); or what came is not the network of the card.
        Unavailable: no source could be fetched; the message has the reason for each.
        RunFailed: the home cannot be written.
    """
    card = catalog.find(name)
    if not card.sources:
        raise BadInput(f"{name} needs no weights: it is ready to use")
    sources = [source for source in card.sources if source.downloads]
    if not sources:
        first = card.sources[0]
        raise BadInput(
            f"srbench cannot fetch {name} (licence: {card.licence}): get {first.filename} from "
            f"{first.address} and install it with `srbench models install {name} --from {first.filename}`"
        )
    failures = []
    with locked(installed_path(name)):
        if (state := status(name)).installed and _intact(name):
            say(f"{name} is installed already")
            return state
        say(_terms(card))
        for source in sources:
            try:
                # Not below the weights, where an interrupted run would leave what looks like an install.
                file = obtain(source, home.home() / "downloads" / source.filename, progress=progress)
            except Unavailable as error:
                failures.append(str(error))
                continue
            try:
                return place(card, file.path)
            finally:
                remove(file.path)
    raise Unavailable(
        f"{name} could not be fetched: {'; '.join(failures)}; or give the file with "
        f"`srbench models install {name} --from {sources[0].filename}`"
    )


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
