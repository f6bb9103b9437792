"""Serve the page to this machine's browsers, and to nobody who reaches one of them from elsewhere."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.utils import send_file

from srbench.errors import BadInput

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SECONDS = 10
"""A request has to be here, and an answer fetched, in so many; then the connection is closed."""
THREADS = 4
CONNECTIONS = 1000
"""More than so many wait until others end; half a request holds a connection and no thread."""

HOSTS = ["127.0.0.1", "localhost"]
"""Under another name a page from elsewhere asks, to whose name DNS gave this machine's address."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # The data are scripts, which a page from elsewhere could load as its own and read.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Timed(HTTPRequestParser):  # type: ignore[misc]
    def __init__(self, adj: object) -> None:
        super().__init__(adj)
        self.begun = time.time()


class _Channel(HTTPChannel):  # type: ignore[misc]
    parser_class = _Timed


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """Closes what is idle, as its parent does, and what sends a request byte by byte."""

    channel_class = _Channel

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for channel in self.active_channels.values():
            if channel.request is not None and channel.request.begun < now - SECONDS:
                channel.will_close = True


def _folder(root: Path) -> WSGIApplication:
    """Serve the files of one folder and nothing a link in it leads to elsewhere; no listings."""
    root = root.resolve()

    def answer(request: Request) -> Response:
        _ = request.host  # raises for a host that is not trusted
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        try:
            file = (root / (request.path.lstrip("/") or "index.html")).resolve()
        except (ValueError, OSError) as error:  # a name that no file can have
            raise NotFound from error
        if not file.is_relative_to(root) or not file.is_file():
            raise NotFound
        return send_file(file, request.environ)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.trusted_hosts = HOSTS
        try:
            response = answer(request)
        except HTTPException as error:
            response = Response(f"{error.code} {error.name}\n", error.code, error.get_headers(environ))
            response.mimetype = "text/plain"
        response.headers.update(HEADERS)
        return response(environ, start_response)

    return application


@contextlib.contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve a folder on localhost while the context lasts.

    Args:
        port: 0 for any free one.

    Yields:
        The address, and a function that returns at Ctrl-C.

    Raises:
        BadInput: the port is taken.
    """
    # A request a line, or a client that leaves, is no news on one's own machine.
    logging.getLogger("waitress").setLevel(logging.CRITICAL + 1)
    try:
        server = _Server(
            _folder(folder),
            host="127.0.0.1",
            port=port,
            threads=THREADS,
            connection_limit=CONNECTIONS,
            channel_timeout=SECONDS,
            cleanup_interval=1,
            max_request_header_size=1 << 14,
            max_request_body_size=1 << 14,
            asyncore_use_poll=True,
            log_socket_errors=False,
            ident="srbench",
        )
    except OSError as error:
        reason = error.strerror or error
        raise BadInput(f"port {port} cannot be used ({reason}): name another --port") from error
    ending = threading.Event()

    def loop() -> None:
        while not ending.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=server._map, count=1)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()

    def wait() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            thread.join()

    try:
        yield f"http://127.0.0.1:{server.effective_port}/", wait
    finally:
        ending.set()
        server.pull_trigger()
        thread.join()
        # Only now: what wakes the loop is one of the files that are closed here.
        server.task_dispatcher.shutdown()
        wasyncore.close_all(server._map)
