"""Downloads against a local server that behaves, and one that does not."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from srbench.errors import BadInput, Unavailable
from srbench.install import hosts
from srbench.install.fetch import fetch
from srbench.metrics.weights import Weight, WeightFile

CONTENT = b"numbers" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    hits = 0

    def do_GET(self) -> None:
        Handler.hits += 1
        if self.path == "/missing":
            self.send_error(404)
            return
        content = CONTENT if self.path == "/good" else b"<html>sign in</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    hosts.reachable.cache_clear()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()


def test_a_file_is_fetched_once_and_whole(server: str, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.bin"
    before = Handler.hits
    for _ in range(2):
        assert fetch(f"{server}/good", target, sha256=SHA256[:8], progress=False).read_bytes() == CONTENT
    assert Handler.hits == before + 1


@pytest.mark.parametrize("path", ["/html", "/missing"])
def test_nothing_wrong_is_kept(server: str, tmp_path: Path, path: str) -> None:
    target = tmp_path / "file.bin"
    with pytest.raises(Unavailable):
        fetch(server + path, target, sha256=SHA256, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == [".file.bin.lock"]


def test_offline_never_asks(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    before = Handler.hits
    with pytest.raises(Unavailable, match="SRBENCH_OFFLINE"):
        fetch(f"{server}/good", tmp_path / "file.bin", sha256=SHA256)
    assert Handler.hits == before


def test_no_answer_is_noticed_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setattr(hosts.urllib.request, "getproxies", dict)
    hosts.reachable.cache_clear()
    started = time.perf_counter()
    with pytest.raises(Unavailable, match="cannot be reached"):
        # TEST-NET-1 is reserved: nothing answers there.
        fetch("http://192.0.2.1/file", tmp_path / "file.bin", sha256=SHA256)
    assert time.perf_counter() - started < 4


def test_a_weight_is_found_fetched_or_installed(server: str, tmp_path: Path, private_home: Path) -> None:
    weight = Weight("numbers", (WeightFile("numbers.bin", SHA256, f"{server}/good"),))
    assert weight.find() is None
    located = weight.locate()
    assert located == private_home / "weights/metrics/numbers.bin"
    assert weight.find() == located
    located.unlink()
    (tmp_path / "wrong.bin").write_bytes(b"something else")
    with pytest.raises(BadInput, match="sha256"):
        weight.install(tmp_path / "wrong.bin")
    (tmp_path / "renamed.bin").write_bytes(CONTENT)
    assert weight.install(tmp_path / "renamed.bin").read_bytes() == CONTENT


def test_a_file_with_the_right_name_and_other_content_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(tmp_path))
    (tmp_path / "numbers.bin").write_bytes(b"something else")
    assert Weight("numbers", (WeightFile("numbers.bin", SHA256),)).find() is None
