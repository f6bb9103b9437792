"""Find a weight file in a repository on Hugging Face, by huggingface_hub."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from srbench.errors import BadInput, Unavailable, unknown
from srbench.install.extras import HUB
from srbench.install.hosts import url_reachable, without_password
from srbench.install.source import Source
from srbench.zoo.schema import Card

PREFIX = "hf"
_NAME = re.compile(r"([\w.-]+)/([\w.-]+)/([^\s@]+)(?:@([\w./-]+))?")
_TIMEOUT_S = 30.0


def find(name: str) -> tuple[str, Card]:
    """Return a weight file on Hugging Face: how it is named there, and its card.

    The revision is resolved to the commit it is at now, which the file is then taken from; a licence is what
    the repository's model card says.

    Args:
        name: ``OWNER/REPOSITORY/FILE``, and ``@REVISION`` for another one than ``main``.

    Raises:
        Unavailable: the library is not installed, or the service does not answer.
        BadInput: it has no such repository, revision or file, or does not show it to everybody.
    """
    match = _NAME.fullmatch(name)
    if match is None or ".." in match[3].split("/"):
        raise BadInput(f"'{PREFIX}:{name}' names no file: write {PREFIX}:OWNER/REPOSITORY/FILE[@REVISION]")
    owner, repository, file, revision = match.groups()
    info = _ask(name, f"{owner}/{repository}", revision)
    files = {str(sibling.rfilename): sibling for sibling in info.siblings or []}
    if file not in files:
        page = f"{_endpoint()}/{owner}/{repository}/tree/{revision or 'main'}"
        raise unknown(f"file of {owner}/{repository}", file, files, without_password(page))
    commit, lfs = str(info.sha), files[file].lfs
    plain = file.rpartition("/")[2]
    stem = plain.rpartition(".")[0] or plain
    licence = str((info.card_data or {}).get("license") or "unknown")
    return f"{PREFIX}:{name}", Card(
        name=re.sub(r"[^A-Za-z0-9._+-]+", "-", f"{repository}-{stem}").lstrip(".-_+"),
        title=f"{owner}/{repository} {file} at {commit[:12]}",
        domain="unknown",
        architecture={},
        licence=licence,
        citation=f"{owner}: {repository}, Hugging Face",
        homepage=f"{HUB}/{owner}/{repository}",
        sources=(
            Source(
                url=f"hf://{owner}/{repository}/{file}@{commit}",
                filename=plain.lstrip("."),
                sha256=lfs.sha256 if lfs else None,
                bytes=files[file].size or None,
            ),
        ),
        redistributable=False,
        notes=f"a model by {owner}, from Hugging Face, revision {commit}",
    )


def _ask(name: str, repository: str, revision: str | None) -> Any:
    """Return what the service knows of a repository."""
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise Unavailable(
            f"{PREFIX}:{name} needs huggingface_hub: pip install 'srbench[download]'"
        ) from error
    endpoint = _endpoint()
    if not url_reachable(endpoint):
        raise Unavailable(f"{urlsplit(endpoint).hostname} cannot be reached")
    try:
        asked = huggingface_hub.HfApi(endpoint=endpoint)
        return asked.model_info(repository, revision=revision, files_metadata=True, timeout=_TIMEOUT_S)
    except errors.RevisionNotFoundError as error:
        raise BadInput(f"{repository} on Hugging Face has no revision '{revision}'") from error
    except errors.RepositoryNotFoundError as error:
        raise BadInput(f"Hugging Face shows no repository {repository}: see {HUB}/{repository}") from error
    # It lets through what its HTTP library raises, which has changed from release to release.
    except Exception as error:
        line = without_password(" ".join(str(error).split()))[:160]
        raise Unavailable(f"Hugging Face could not be asked for {repository} ({line}): try again") from error


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
