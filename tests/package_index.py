"""Package indexes on this machine: a server (PEP 503 or 691, with a password or TLS), a directory."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import ssl
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(members: dict[str, bytes]) -> bytes:
    """A zip file of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sdist(members: dict[str, bytes | None]) -> bytes:
    """A .tar.gz of these members; one without content is a link to /etc/passwd."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            entry.size = len(content or b"")
            archive.addfile(entry, io.BytesIO(content or b""))
    return buffer.getvalue()


def project_page(files: dict[str, bytes], prefix: str, *, hashes: bool = True, yanked: bool = False) -> str:
    """The page of a project as PEP 503 has it."""
    links = [
        f'<a href="{prefix}{name}{f"#sha256={sha256(content)}" if hashes else ""}"'
        f"{' data-yanked=bad' if yanked else ''}>{name}</a><br>"
        for name, content in files.items()
    ]
    return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"


@dataclass
class Index:
    """The running server: ``/simple/PROJECT/`` lists ``files`` of that project, ``/files/NAME`` gives one.

    Attributes:
        url: of ``/simple``.
        files: name to content, by project.
        password: ``user:password`` that every request has to show.
        json: pages are those of PEP 691.
        hashes, yanked: what pages say of files.
        page: what every page is instead: (status, content type, content).
        cut: this many answers with a file break off after half of what was asked for.
        asked: path and Range header of every request; ``shown``, their Authorization headers.
        proxied: it is asked as a proxy is, for whole addresses.
        elsewhere: where pages say the files are, if not on this server.
    """

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    password: str = ""
    json: bool = False
    hashes: bool = True
    yanked: bool = False
    page: tuple[int, str, bytes] | None = None
    cut: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    elsewhere: str = ""
    proxied: bool = False
    shown: list[str] = field(default_factory=list)


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Index]:
    """Run the server on a free port of 127.0.0.1, with TLS if there is a certificate (and its key)."""
    index = Index()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(index))
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    index.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/simple"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody signed, with its key in the same file."""
    file = folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(file)],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + (folder / "key").read_bytes())
    return file


def _handler(index: Index) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            index.asked.append((self.path, self.headers.get("Range", "")))
            if index.proxied:
                self.path = urlsplit(self.path).path
            given = self.headers.get("Authorization", "")
            index.shown.append(given)
            due = f"Basic {base64.b64encode(index.password.encode()).decode()}"
            if index.password and given != due:
                self._answer(401, "text/plain", b"who are you?")
            elif self.path.startswith("/files/"):
                self._file(self.path.rpartition("/")[2])
            elif index.page:
                self._answer(*index.page)
            else:
                self._project(self.path.removeprefix("/simple/").strip("/"))

        def _project(self, name: str) -> None:
            files = index.files.get(name)
            prefix = index.elsewhere or "/files/"
            if files is None:
                self._answer(404, "text/html", b"<html>not found</html>")
            elif index.json:
                listed = [
                    {"filename": n, "url": f"{prefix}{n}", "size": len(c), "yanked": index.yanked,
                     "hashes": {"sha256": sha256(c)} if index.hashes else {}}
                    for n, c in files.items()
                ]  # fmt: skip
                page = {"meta": {"api-version": "1.1"}, "name": name, "files": listed, "versions": []}
                self._answer(200, "application/vnd.pypi.simple.v1+json", json.dumps(page).encode())
            else:
                page_ = project_page(files, prefix, hashes=index.hashes, yanked=index.yanked)
                self._answer(200, "text/html", page_.encode())

        def _file(self, name: str) -> None:
            content = next((files[name] for files in index.files.values() if name in files), None)
            if content is None:
                self._answer(404, "text/html", b"<html>not found</html>")
                return
            asked = self.headers.get("Range", "")
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            if start >= len(content):
                self._answer(416, "text/plain", b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            rest = content[start:]
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            index.cut, broken = max(0, index.cut - 1), index.cut > 0
            self._answer(206 if start else 200, "application/octet-stream", rest, headers, broken=broken)

        def _answer(
            self,
            status: int,
            kind: str,
            content: bytes,
            headers: dict[str, str] | None = None,
            broken: bool = False,
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if broken else content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
