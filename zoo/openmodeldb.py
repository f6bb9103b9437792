"""Find models on OpenModelDB, some 650 community networks, by the library openmodeldb."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from srbench.errors import Unavailable, unknown
from srbench.install.hosts import url_reachable
from srbench.install.source import Source
from srbench.support import home
from srbench.zoo.schema import Card

PREFIX = "openmodeldb"
_TYPES = ("safetensors", "pth")  # what spandrel reads; the others are of other frameworks
# They give a file only to whoever looks at a page, or encrypted.
_PAGES = ("mega.nz", "mega.co.nz", "mediafire.com", "1drv.ms", "onedrive.live.com", "icedrive.net")
_DRIVE = re.compile(r"https://drive\.google\.com/(?:file/d/|open\?id=|uc\?(?:.*&)?id=)([\w-]{20,})")


def find(name: str) -> tuple[str, Card]:
    """Return a model of OpenModelDB: how it is named there, and its card.

    Args:
        name: its id or its name, in any case.

    Raises:
        Unavailable: the library is not installed, the service is not reachable or answers nonsense.
        BadInput: there is no such model; the nearest names are in the message.
    """
    try:
        from openmodeldb import client
    except ImportError as error:
        raise Unavailable(
            f"{PREFIX}:{name} needs the library openmodeldb: pip install 'srbench[openmodeldb]'"
        ) from error
    if not url_reachable(client.API_URL):
        raise Unavailable(f"{urlsplit(client.API_URL).hostname} cannot be reached")
    try:
        models = client.OpenModelDB(cache_dir=str(home.home() / PREFIX), include_all=True).models
        model = next((m for m in models if name.lower() in (m.id.lower(), m.name.lower())), None)
        card = _card(model) if model else None
    # The answer is somebody else's; a field of another type fails in whatever way it is used.
    except Exception as error:
        line = " ".join(str(error).split())[:160]
        raise Unavailable(f"OpenModelDB could not be asked for {name} ({line}): try again later") from error
    if model is None or card is None:
        raise unknown("model of OpenModelDB", name, [m.id for m in models], "openmodeldb list")
    return f"{PREFIX}:{model.id}", card


def _card(model: Any) -> Card:
    ranked = sorted(
        (resource for resource in model.resources if resource.get("type") in _TYPES),
        key=lambda resource: _TYPES.index(resource["type"]),
    )
    sources = [source for resource in ranked for source in _sources(model.id, resource)]
    page = f"https://openmodeldb.info/models/{model.id}"
    if not sources:
        sources = [Source(url=page, page=True, filename=f"{_plain(model.id)}.pth")]
    return Card(
        name=_plain(model.id),
        title=f"{model.name}, by {model.author}",
        domain="unknown",
        architecture={},
        scale=int(model.scale),
        licence=str(model.license or "unknown"),
        citation=f"{model.author}: {model.name}, OpenModelDB",
        homepage=page,
        sources=tuple(sources),
        redistributable=False,
        notes=f"a community model by {model.author}, from OpenModelDB",
    )


def _sources(model_id: str, resource: dict[str, Any]) -> Iterator[Source]:
    """Yield where one file of a model is."""
    facts: dict[str, Any] = {
        "filename": f"{_plain(model_id)}.{resource['type']}",
        "sha256": str(resource["sha256"]).lower() if resource.get("sha256") else None,
        "bytes": resource.get("size") or None,
    }
    for url in resource.get("urls", []):
        if drive := _DRIVE.match(url):
            yield Source(drive=drive[1], **facts)
        else:
            yield Source(url=url, page=_by_hand(url), **facts)


def _by_hand(url: str) -> bool:
    """Return whether a file is behind a page, or in an archive, whose hash is not the file's."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return parts.path.lower().endswith((".zip", ".7z", ".rar")) or any(
        host == page or host.endswith(f".{page}") for page in (*_PAGES, "drive.google.com")
    )


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).lstrip(".-_+") or "model"
