"""A local HTTP server that misbehaves on request: ``/MODE/NAME`` is the file NAME, served in a bad way."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>" * 20
CHUNK = 1 << 12


@dataclass
class Bad:
    """The running server.

    Attributes:
        url: its address, such as ``http://127.0.0.1:40001``.
        files: what it serves, by name; a test may replace one to have it change.
        asked: (mode, name, Range header) of every GET, in order.
        sent: bytes of content sent so far.
        pause: seconds between two chunks in the mode "slow".
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    sent: int = 0
    pause: float = 0.005
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def misbehaving() -> Iterator[Bad]:
    """Run the server on a free port of 127.0.0.1."""
    bad = Bad()
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(bad))
    running.daemon_threads = True
    bad.url = f"http://127.0.0.1:{running.server_port}"
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield bad
    finally:
        bad.closing.set()
        running.shutdown()
        running.server_close()


def _handler(bad: Bad) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._serve(head=True)

        def do_GET(self) -> None:
            self._serve(head=False)

        def _serve(self, head: bool) -> None:
            self.close_connection = True
            mode, _, name = self.path.lstrip("/").partition("/")
            name = name.rpartition("/")[2].partition("?")[0]
            if not head:
                bad.asked.append((mode, name, self.headers.get("Range", "")))
            content = bad.files.get(name, b"")
            if answer := self._plain(mode, name, content):
                self._whole(*answer)
            elif mode == "silent":
                self._hang()
            elif mode == "nonsense":
                self._headers(200, {"Content-Length": "many"})
            elif mode in ("chunked", "chunkcut", "endless"):
                self._chunked(content, mode)
            else:
                self._ranged(content, mode, head)

        def _plain(self, mode: str, name: str, content: bytes) -> tuple[bytes, int, dict[str, str]] | None:
            """The answers that are the same whatever part of the file was asked for."""
            page = {"Content-Type": "text/html; charset=utf-8"}
            if mode.isdigit() or not content:
                return PAGE, int(mode) if mode.isdigit() else 404, page
            return {
                "redirect": (b"", 302, {"Location": f"/good/{name}"}),
                "loop": (b"", 302, {"Location": self.path}),
                "page": (PAGE, 200, page),
                "disguised": (PAGE, 200, {"Content-Type": "application/octet-stream"}),
                "wrong": (content[::-1], 200, {}),
                "gzip": (gzip.compress(content), 200, {"Content-Encoding": "gzip"}),
            }.get(mode)

        def _ranged(self, content: bytes, mode: str, head: bool) -> None:
            """Range and If-Range as RFC 9110 has them, but for what the mode says."""
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            headers: dict[str, str] = {} if mode in ("noversion", "norange") else {"ETag": tag}
            if mode == "dated":
                headers = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
            if mode == "hub":  # what huggingface_hub wants to know of a file
                headers |= {"X-Repo-Commit": "a" * 40}
            asked = self.headers.get("Range", "")
            condition = self.headers.get("If-Range", next(iter(headers.values()), ""))
            fits = condition in headers.values() or not headers or mode == "careless"
            start = 0
            if asked and mode != "norange" and fits:
                start = int(asked.removeprefix("bytes=").split("-")[0])
                if start >= len(content):
                    self._whole(b"", 416, {"Content-Range": f"bytes */{len(content)}"})
                    return
                shown = start + 7 if mode == "shifted" else start
                headers["Content-Range"] = f"bytes {shown}-{len(content) - 1}/{len(content)}"
            rest = content[start:]
            self._headers(206 if start else 200, {"Content-Length": str(len(rest)), **headers})
            if head:
                return
            if mode in ("cut", "stall", "norange", "noversion", "dated", "careless", "once"):
                half = mode != "once" or not start
                self._send(rest[: max(1, len(rest) // 2)] if half else rest)
                if mode == "stall":
                    self._hang()
                return
            self._send(rest, bad.pause if mode == "slow" else 0.0)

        def _chunked(self, content: bytes, mode: str) -> None:
            self._headers(200, {"Transfer-Encoding": "chunked"})
            while True:
                for at in range(0, len(content), CHUNK):
                    piece = content[at : at + CHUNK]
                    self._send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    if bad.closing.is_set() or (mode == "chunkcut" and at > len(content) // 2):
                        return
                if mode == "chunked":
                    self._send(b"0\r\n\r\n")
                    return

        def _whole(self, body: bytes, status: int, headers: dict[str, str]) -> None:
            self._headers(status, {"Content-Length": str(len(body)), **headers})
            if self.command != "HEAD":
                self._send(body)

        def _headers(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in {"Connection": "close", **headers}.items():
                self.send_header(key, value)
            self.end_headers()

        def _send(self, data: bytes, pause: float = 0.0) -> None:
            try:
                for at in range(0, len(data), CHUNK):
                    bad.sent += len(data[at : at + CHUNK])
                    self.wfile.write(data[at : at + CHUNK])
                    if pause:
                        time.sleep(pause)
            except OSError:  # the other side went away, which is what some tests are about
                pass

        def _hang(self) -> None:
            self.wfile.flush()
            bad.closing.wait(60)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
