"""The folder the page is written to, where its records come from, and the commands."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
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
from helpers import inside, record
from site_pages import synthetic

from srbench.boards.csv_records import read_csv
from srbench.boards.frame import frame
from srbench.boards.site import serve
from srbench.boards.site.build import build_page, read_records
from srbench.errors import BadInput
from srbench.store.record import Record

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "srbench" / "boards" / "site" / "assets"
SETS = [("one", "clean", "a" * 64), ("two", "ntire", "b" * 64)]
OUTSIDE = re.compile(r"https?:|//[a-z]|@import|url\(|innerHTML|insertAdjacentHTML|fetch\(")
IMAGES = ["i0", "i1", "i2", "i3"]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(synthetic(SETS, IMAGES))


def test_records_csv_gives_the_records_back(tmp_path: Path, records: list[Record]) -> None:
    noted = record(
        image="b", metrics={"psnr": 1 / 3, "lpips": None}, notes={"lpips": "too small; see docs"}, tile=64
    )
    saved = record(attack="rsr", attack_hash="x", attack_settings={"eps": 0.1},
                   effect={"lr_psnr": 30.0, "sr_psnr": 1.0, "lr_max": 2.0},
                   saved={"psnr": 19.5}, flags={"inside": "a: b; c"}, image="c", commit="abc")  # fmt: skip
    originals = [*records[:30], noted, saved]
    frame(originals).to_csv(tmp_path / "records.csv", index=False)
    assert read_csv(tmp_path / "records.csv") == originals


@pytest.mark.parametrize("name", ["attacked-mini2", "mini1", "real", "classical"])
def test_committed_records_make_a_page(tmp_path: Path, name: str) -> None:
    file = ROOT / "leaderboards" / name / "records.csv"
    found, pictures = read_records(file, tmp_path)
    assert len(found) == len(file.read_text(encoding="utf-8").splitlines()) - 1
    assert pictures is None
    build_page(tmp_path / "page", found)
    assert (tmp_path / "page" / "data" / "b0-c0.js").is_file()


def test_the_folder_is_small_whole_and_refers_to_nothing_outside(
    tmp_path: Path, records: list[Record]
) -> None:
    hostile = record(
        model="<img src=http://e.vil/x onerror=alert(1)>", model_title="</script><script>alert(1)</script>"
    )
    build_page(tmp_path / "page", [*records, hostile])
    files = [file for file in (tmp_path / "page").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 5_000_000
    assert max(file.stat().st_size for file in files) < 1_500_000
    own = [
        f for f in files if f.suffix in (".js", ".css", ".html") and f.parent.name not in ("vendor", "data")
    ]
    assert len(own) >= 12
    for file in own:
        text = file.read_text(encoding="utf-8")
        assert not OUTSIDE.search(text.replace("file://", "")), file
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    for reference in re.findall(r'(?:src|href)="([^"#:]+)"', page):
        assert (tmp_path / "page" / reference).is_file(), reference
    assert "alert(1)" not in page


def test_vendored_files_are_what_they_say() -> None:
    listed = (ASSETS / "vendor" / "VENDORED.md").read_text(encoding="utf-8")
    sums = dict(re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", listed, flags=re.MULTILINE))
    files = [file for file in (ASSETS / "vendor").iterdir() if file.name != "VENDORED.md"]
    assert {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files} == sums


def test_a_page_replaces_a_page_and_nothing_else(tmp_path: Path, records: list[Record]) -> None:
    build_page(tmp_path / "page", records)
    (tmp_path / "page" / "data" / "stale.js").touch()
    build_page(tmp_path / "page", records[:10])
    assert not (tmp_path / "page" / "data" / "stale.js").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(BadInput, match="no page of srbench"):
        build_page(tmp_path / "mine", records)
    assert (tmp_path / "mine" / "thesis.tex").is_file()
    with pytest.raises(BadInput, match="no records"):
        build_page(tmp_path / "empty", [])


def test_a_broken_file_of_reported_numbers_is_named(tmp_path: Path, records: list[Record]) -> None:
    row = {"method": "Bicubic", "psnr": [1.0]}
    for content, reason in (
        ("[1", "Invalid JSON"),
        ("[]", "no JSON object"),
        ("[" * 10_000, "Invalid JSON"),
        ({"url": "javascript:alert(1)"}, "'javascript:alert(1)' is not an http"),
        ({"url": "JaVaScRiPt:alert(1)"}, "is not an http"),
        ({"url": "data:text/html,x"}, "is not an http"),
        ({"url": " http://a.example"}, "is not an http"),
        ({"url": 3}, "url: "),
        ({"paper": ["x"]}, "paper: "),
        ({"t": {"columns": ["one", "two"], "rows": [row]}}, "psnr of Bicubic is no list with a number for"),
        ({"t": {"columns": ["one"], "rows": [row | {"psnr": 3}]}}, "psnr of Bicubic is no list"),
        ({"t": {"columns": ["one"], "rows": [row | {"psnr": ["x"]}]}}, "numbers.0.value: "),
        ({"t": {"columns": ["one"], "rows": "x"}}, "rows is no list"),
        ({"t": {"rows": [row]}}, "psnr of Bicubic is no list"),
    ):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "numbers.json").write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match=rf"numbers\.json is not .*{re.escape(reason)}"):
            build_page(tmp_path / "page", records, reported=tmp_path / "numbers.json")
    with pytest.raises(BadInput, match=r"none\.csv"):
        read_records(tmp_path / "none.csv", tmp_path)


def test_the_command_line_writes_the_page(tmp_path: Path) -> None:
    file = ROOT / "leaderboards" / "attacked-mini2" / "records.csv"
    done = inside(
        "leaderboard", "--records", str(file), "--models", "bicubic,*psnr-mini", "--html", str(tmp_path / "p")
    )
    assert done.returncode == 0, done.stderr
    assert "shows 320 records" in done.stderr
    assert done.stdout == ""
    refused = inside(
        "leaderboard", "--records", str(file), "--models", "nothing", "--html", str(tmp_path / "q")
    )
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


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
    file = ROOT / "leaderboards" / "attacked-mini2" / "records.csv"
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
