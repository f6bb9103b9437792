"""Serve the page to this machine's browsers."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from srbench.errors import BadInput


class _Folder(SimpleHTTPRequestHandler):
    """Serve the files of one folder and nothing a link in it leads to elsewhere; no listings."""

    def translate_path(self, path: str) -> str:
        root = Path(self.directory).resolve()
        file = Path(super().translate_path(path)).resolve()
        # A name that no file has, so that what is outside answers as what is not there.
        return str(file if file.is_relative_to(root) else root / "\0")

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        try:
            return super().send_head()
        except ValueError:  # a name with a zero byte
            self.send_error(HTTPStatus.NOT_FOUND, "File not found")
            return None

    def list_directory(self, path: str | os.PathLike[str]) -> io.BytesIO | None:
        self.send_error(HTTPStatus.NOT_FOUND, "File not found")
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request a line is no news on one's own machine."""


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
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Folder, directory=str(folder)))
    except OSError as error:
        reason = error.strerror or error
        raise BadInput(f"port {port} cannot be used ({reason}): name another --port") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def wait() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            thread.join()

    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", wait
    finally:
        server.shutdown()
        server.server_close()
