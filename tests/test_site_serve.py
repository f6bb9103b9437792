"""The server of a page: its folder and nothing else, to this machine alone."""

from __future__ import annotations

import http.client
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from srbench.boards.site import serve
from srbench.errors import BadInput


def test_serving_a_folder(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("hello", encoding="utf-8")
    with serve.serving(tmp_path) as (address, _):
        assert urllib.request.urlopen(address, timeout=10).read() == b"hello"
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        with pytest.raises(BadInput, match="--port"), serve.serving(tmp_path, port):
            pass
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0


def _get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body, with the path sent as it is: urllib would tidy it up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_serving_nothing_but_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    (folder / "data").mkdir(parents=True)
    (folder / "index.html").write_text("hello", encoding="utf-8")
    (folder / "data" / "site.js").write_text("inside", encoding="utf-8")
    (tmp_path / "page-secret.txt").write_text("secret", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "page-secret.txt")
    (folder / "out").symlink_to(tmp_path)
    (folder / "alias.js").symlink_to(folder / "data" / "site.js")
    with serve.serving(folder) as (address, _):
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        assert _get(port, "/data/site.js") == (200, b"inside")
        assert _get(port, "/alias.js") == (200, b"inside")
        for path in (
            "/../page-secret.txt",
            "/%2e%2e/page-secret.txt",
            "/data/..%2f..%2fpage-secret.txt",
            "//page-secret.txt",
            f"/{tmp_path}/page-secret.txt",
            "/link.txt",
            "/out/page-secret.txt",
            "/out/page/index.html/../../page-secret.txt",
            "/data/",
            "/%00",
        ):
            status, body = _get(port, path)
            assert status == 404, path
            assert b"secret" not in body.replace(b"page-secret", b"")
        # Only this machine: other addresses of it, where it has any, do not answer.
        others = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for other in others - {"127.0.0.1"}:
            with socket.socket() as client:
                client.settimeout(2)
                assert client.connect_ex((other, port)) != 0, other


def _raw(port: int, request: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(request.encode("latin-1"))
        answer = http.client.HTTPResponse(client, method=request.split(maxsplit=1)[0])
        answer.begin()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """A page with a script, served; its port."""
    (tmp_path / "index.html").write_text("hello", encoding="utf-8")
    (tmp_path / "site.js").write_text("unpublished", encoding="utf-8")
    with serve.serving(tmp_path) as (address, _):
        yield int(address.rstrip("/").rsplit(":", 1)[1])


def test_a_name_that_is_not_this_machine_s_gets_nothing(served: int) -> None:
    """A page from elsewhere may have DNS say that its name is 127.0.0.1, and then ask under that name."""
    for host in ("127.0.0.1", f"127.0.0.1:{served}", "localhost", f"localhost:{served}"):
        assert _raw(served, f"GET /site.js HTTP/1.1\r\nHost: {host}\r\n\r\n")[0] == 200, host
    for host in (
        "evil.example",
        f"evil.example:{served}",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1, evil.example",
        "127.0.0.2",
        "0.0.0.0",
        "[::1]",
        "",
    ):
        status, _, body = _raw(served, f"GET /site.js HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert (status, b"unpublished" in body) == (400, False), host
    status, _, body = _raw(served, "GET /site.js HTTP/1.0\r\n\r\n")
    assert (status, b"unpublished" in body) == (400, False)
    twice = "GET /site.js HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n"
    assert _raw(served, twice)[0] == 400
    forwarded = "GET /site.js HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: 127.0.0.1\r\n\r\n"
    assert _raw(served, forwarded)[0] == 400


def test_every_answer_says_what_the_page_may_do(served: int) -> None:
    for path, status in (("/", 200), ("/site.js", 200), ("/nothing", 404)):
        found, headers, _ = _raw(served, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        policy = headers["content-security-policy"].split("; ")
        assert found == status
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= {*policy}
        assert not any("unsafe" in rule or "*" in rule or "http" in rule for rule in policy)
        assert headers["cross-origin-resource-policy"] == "same-origin"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert _raw(served, f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 405
    assert _raw(served, "HEAD /site.js HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200


def _closed(clients: list[socket.socket], deadline: float) -> int:
    """How many were closed by the other side in time."""
    count = 0
    for client in clients:
        client.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            while client.recv(4096):
                pass
            count += 1
        except ConnectionError:
            count += 1
        except TimeoutError:
            continue
    return count


def test_half_requests_hold_no_thread_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text("hello", encoding="utf-8")
    monkeypatch.setattr(serve, "SECONDS", 2)
    before = threading.active_count()
    with serve.serving(tmp_path) as (address, _):
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        halves = ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX: "]
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        for number, client in enumerate(clients):
            client.sendall(halves[number % len(halves)].encode())
        dribble = socket.create_connection(("127.0.0.1", port))
        dribble.sendall(b"GET / HTTP/1.1\r\nX: ")
        started = time.monotonic()
        assert _get(port, "/") == (200, b"hello")
        assert time.monotonic() - started < 2
        assert threading.active_count() - before <= serve.THREADS + 1
        with pytest.raises(OSError):
            while time.monotonic() - started < 10:
                dribble.sendall(b"x")
                time.sleep(0.2)
        assert time.monotonic() - started < 8
        assert _closed(clients, started + 10) == 300
        for client in (*clients, dribble):
            client.close()
        assert _get(port, "/") == (200, b"hello")
    assert threading.active_count() == before


def test_clients_that_leave_are_no_news(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "index.html").write_bytes(bytes(20_000_000))
    with serve.serving(tmp_path) as (address, _):
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        for request in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\r\n\r\n"):
            for _ in range(10):
                with socket.create_connection(("127.0.0.1", port)) as client:
                    client.sendall(request)
                    # With a reset, as of a browser that is closed.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.3)
        assert _get(port, "/") == (200, bytes(20_000_000))
    assert capfd.readouterr() == ("", "")


def test_a_loop_that_ends_before_it_is_woken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pull = serve._Server.pull_trigger

    def late(server: serve._Server) -> None:
        time.sleep(1.2)  # the loop looks once a second whether it shall end
        pull(server)

    with serve.serving(tmp_path):
        monkeypatch.setattr(serve._Server, "pull_trigger", late)


def test_serve_ends_cleanly_on_interrupt(tmp_path: Path) -> None:
    file = Path(__file__).parents[1] / "leaderboards" / "attacked-mini2" / "records.csv"
    # What is started in the background of a shell inherits an ignored SIGINT.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code = listening + "from srbench.cli import main; main()"
    arguments = [sys.executable, "-c", code, "serve", "--records", str(file), "--no-open"]
    with subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stderr is not None
            address = server.stdout.readline().split()[0]
            assert b"srbench" in urllib.request.urlopen(address, timeout=10).read()
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0
            assert "Traceback" not in server.stderr.read()
        finally:
            server.kill()
