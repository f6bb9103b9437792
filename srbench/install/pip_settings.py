"""Read where pip is told to look for packages, and how: its indexes, credentials, certificate and proxy.

What works for ``pip install`` on this machine then works here, behind a mirror or a proxy too, and is set up
in one place. pip itself reads its files and environment variables (``pip config list``).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from srbench.errors import Unavailable
from srbench.install.hosts import without_password

PYPI = "https://pypi.org/simple"
_SECTIONS = ("global", "download", "install", ":env:")
"""The parts of pip's configuration that count, the last one most."""
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Place:
    """Name one place where packages are listed.

    Attributes:
        url: http(s) or file address, without user and password.
        auth: user and password; not shown.
        flat: it lists files itself (``find-links``); an index lists projects, each on a page of its own.
    """

    url: str
    auth: tuple[str, str] | None = field(default=None, repr=False)
    flat: bool = False

    @property
    def local(self) -> bool:
        """Return whether it is on a disk of this machine."""
        return self.url.startswith("file:")


@dataclass(frozen=True)
class PipSettings:
    """Hold what of pip's configuration counts for a download.

    Attributes:
        places: where to look, in order; those on this machine first.
        cert: path of a bundle of certificates to trust instead of the usual one.
        client_cert: path of a certificate to show.
        proxy: of every request; not shown, as it may hold a password.
        trusted: hosts (or ``host:port``) whose certificates are not checked.
    """

    places: tuple[Place, ...]
    cert: str = ""
    client_cert: str = ""
    proxy: str = field(default="", repr=False)
    trusted: frozenset[str] = frozenset()

    def options(self, url: str) -> dict[str, Any]:
        """Return the options of requests for an address: credentials, certificates, proxy."""
        parts = urlsplit(url)
        options: dict[str, Any] = {}
        if self.cert:
            options["verify"] = self.cert
        if self.trusted & {parts.hostname, parts.netloc}:
            options["verify"] = False
        if self.client_cert:
            options["cert"] = self.client_cert
        if self.proxy:
            options["proxies"] = {"http": self.proxy, "https": self.proxy}
        # Files lie beside their index, or on another host, which must not be told the password.
        here = (parts.scheme, parts.netloc)
        known = [p.auth for p in self.places if p.auth and urlsplit(p.url)[:2] == here]
        return options | ({"auth": known[0]} if known else {})


def pip_settings() -> PipSettings:
    """Return pip's settings as they are now.

    Raises:
        Unavailable: there is no pip, or it cannot read its configuration; or it is to use no index at all.
    """
    values = _values()
    named = values.get("index-url", PYPI).split() + values.get("extra-index-url", "").split()
    if values.get("no-index", "").lower() in ("1", "y", "yes", "t", "true", "on"):
        named = []
    places = [_place(text, flat=True) for text in values.get("find-links", "").split()]
    places += [_place(text, flat=False) for text in named]
    if not places:
        raise Unavailable("pip is configured to use no index (no-index) and no find-links: name either one")
    return PipSettings(
        places=tuple(sorted(places, key=lambda place: not place.local)),
        cert=values.get("cert", ""),
        client_cert=values.get("client-cert", ""),
        proxy=values.get("proxy", ""),
        trusted=frozenset(values.get("trusted-host", "").split()),
    )


def _values() -> dict[str, str]:
    found: dict[tuple[str, str], str] = {}
    for line in config_list().splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        found[section, name] = str(ast.literal_eval(value))
    # pip passes over what is empty, rather than let it hide what stands elsewhere.
    ordered = [(section, name) for section in _SECTIONS for section_, name in found if section_ == section]
    return {name: found[section, name] for section, name in ordered if found[section, name].strip()}


def config_list() -> str:
    """Return what ``pip config list`` prints: ``SECTION.NAME='VALUE'`` a line.

    Raises:
        Unavailable: there is no pip, or it cannot read its configuration.
    """
    command = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "config", "list"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"pip cannot be asked for its index ({type(error).__name__})") from error
    if done.returncode:
        said = without_password(" ".join(done.stderr.split()))
        if "No module named pip" in said:
            raise Unavailable("the package index is pip's, and pip is not installed: python -m ensurepip")
        raise Unavailable(f"pip cannot read its configuration ({said[:200]}): see `pip config debug`")
    return done.stdout


def _place(text: str, *, flat: bool) -> Place:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", "file"):
        return Place(Path(text).expanduser().absolute().as_uri(), flat=flat)
    auth = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
    return Place(without_password(text).rstrip("/"), auth, flat)
