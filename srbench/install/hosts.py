"""Find out within seconds whether a host is there at all."""

from __future__ import annotations

import functools
import re
import socket
import threading
import urllib.request
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S = 3.0
_USER = re.compile(r"(?<=://)[^/?#\s]*@")


def without_password(text: str) -> str:
    """Return an address, or a text with addresses in it, without users and passwords.

    >>> from srbench.install.hosts import without_password
    >>> without_password("https://me:secret@mirror.example.org/simple")
    'https://mirror.example.org/simple'
    """
    return _USER.sub("", text)


def url_reachable(url: str) -> bool:
    """Return whether the host of an http(s) address answers; see :func:`reachable`."""
    parts = urlsplit(url)
    return reachable(parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))


@functools.cache
def reachable(host: str, port: int) -> bool:
    """Return whether a host answers within three seconds, name look-up included; it is asked once per run.

    requests applies its timeout to each address in turn and not to the look-up, which together can
    take half a minute. Behind a proxy only the proxy knows, so it is not asked.
    """
    if urllib.request.getproxies().keys() - {"no"} and not urllib.request.proxy_bypass(host):
        return True
    answered = threading.Event()

    def knock() -> None:
        try:
            with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S):
                answered.set()
        except OSError:
            pass

    attempt = threading.Thread(target=knock, daemon=True)
    attempt.start()
    attempt.join(CONNECT_TIMEOUT_S)
    return answered.is_set()
