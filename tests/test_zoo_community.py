"""Models of OpenModelDB and Hugging Face, by their libraries, from a local server that stands in for both."""

from __future__ import annotations

import hashlib
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

import srbench
from srbench import zoo
from srbench.cli.models import models_app
from srbench.errors import BadInput, RunFailed, Unavailable
from srbench.zoo import community

WEIGHTS = Path(__file__).resolve().parents[1] / "zoo/mini/esrgan-mini.safetensors"
CONTENT = WEIGHTS.read_bytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "c0ffee" + "0" * 34
REPOSITORY = "/api/models/some-lab/sr-net"


class Service:
    """What the server knows: answers by path, and which paths were asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []

    def model(self, name: str, **changes: Any) -> None:
        """Publish a model on OpenModelDB, with one file in its database unless another is given."""
        resource = {
            "platform": "pytorch",
            "type": "safetensors",
            "size": len(CONTENT),
            "sha256": SHA256.upper(),
            "urls": [f"{self.url}/files/net.safetensors"],
        } | changes.pop("resource", {})
        entry = {
            "name": name.replace("-", " "),
            "author": "ann",
            "license": "CC-BY-4.0",
            "tags": [],
            "description": "",
            "architecture": "esrgan",
            "scale": 4,
            "resources": [resource],
        }
        models = json.loads(self.answers.get("/models.json", b"{}"))
        self.answers["/models.json"] = json.dumps(models | {name: entry | changes}).encode()

    def repository(self, **files: bytes) -> None:
        """Publish files of one repository on Hugging Face."""
        siblings = [
            {
                "rfilename": name,
                "size": len(data),
                "lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": 1, "pointerSize": 1},
            }
            for name, data in files.items()
        ]
        info = {
            "_id": "1",
            "id": "some-lab/sr-net",
            "sha": COMMIT,
            "cardData": {"license": "mit"},
            "siblings": siblings,
        }
        self.answers[REPOSITORY] = json.dumps(info).encode()
        for name, data in files.items():
            self.answers[f"/some-lab/sr-net/resolve/{COMMIT}/{name}"] = data


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    from openmodeldb import client

    known = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(head=True)

        def do_GET(self) -> None:
            self._answer(head=False)

        def _answer(self, head: bool) -> None:
            path = self.path.partition("?")[0]
            if not head:
                known.asked.append(path)
            body = known.answers.get(path)
            self.send_response(404 if body is None else 200)
            if body is None and path.startswith("/api/"):
                self.send_header(
                    "X-Error-Code", "RepoNotFound" if "sr-net" not in path else "RevisionNotFound"
                )
            self.send_header("ETag", f'"{hashlib.sha256(body or b"").hexdigest()[:16]}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if not head:
                self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    known.url = f"http://127.0.0.1:{server.server_port}"
    known.answers["/files/net.safetensors"] = CONTENT
    known.model("4x-Leaf")
    known.repository(**{"net.safetensors": CONTENT, "README.md": b"# hello"})
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_ENDPOINT", known.url)
    monkeypatch.setattr(client, "API_URL", f"{known.url}/models.json")
    yield known
    server.shutdown()
    server.server_close()


def resolved(spec: str) -> Any:
    (ref,) = zoo.resolve([spec])
    return ref


@pytest.mark.parametrize("spec", ["openmodeldb:4x-Leaf", "hf:some-lab/sr-net/net.safetensors"])
def test_a_model_is_fetched_once_and_gives_the_zoos_numbers(
    service: Service, spec: str, private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = resolved(spec)
    assert ref.weights_sha256 == SHA256
    asked = len(service.asked)
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    again = resolved(spec)
    assert again == ref and len(service.asked) == asked, "what is here is asked of nobody"
    [weights] = (private_home / "weights/models").glob("*.safetensors")
    here, published = load_file(weights), load_file(WEIGHTS)
    assert here.keys() == published.keys() and all(torch.equal(here[k], published[k]) for k in here)
    assert list((private_home / "downloads").glob("[!.]*")) == []
    lr = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(again.load()(lr), resolved("esrgan-mini").load()(lr))


def test_the_card_says_who_made_it_and_what_may_be_done_with_it(service: Service) -> None:
    card = resolved("openmodeldb:4x-leaf").card
    assert (card.name, card.title, card.licence, card.domain) == (
        "4x-Leaf",
        "4x Leaf, by ann",
        "CC-BY-4.0",
        "unknown",
    )
    assert card.homepage == "https://openmodeldb.info/models/4x-Leaf" and not card.redistributable
    assert "by ann" in card.notes and card.architecture["family"] == "ESRGAN"
    card = resolved("hf:some-lab/sr-net/net.safetensors").card
    assert (card.name, card.licence) == ("sr-net-net", "mit") and COMMIT in card.notes
    assert card.title == f"some-lab/sr-net net.safetensors at {COMMIT[:12]}"
    assert card.sources[0].url == f"hf://some-lab/sr-net/net.safetensors@{COMMIT}"


def test_several_authors_and_no_licence(service: Service) -> None:
    service.model("4x-Two", author=["ann", "bob"], license=None)
    card = resolved("openmodeldb:4x-Two").card
    assert (card.licence, card.citation) == ("unknown", "ann, bob: 4x Two, OpenModelDB")
    service.answers[REPOSITORY] = service.answers[REPOSITORY].replace(
        b'"cardData": {"license": "mit"}, ', b""
    )
    assert resolved("hf:some-lab/sr-net/net.safetensors").card.licence == "unknown"


def test_names_options_and_two_spellings(service: Service, private_home: Path) -> None:
    ref = resolved("leaf=openmodeldb:4x-Leaf,domain=blind,title=Leaf")
    assert (ref.name, ref.card.domain, ref.card.title) == ("leaf", "blind", "Leaf")
    assert resolved("openmodeldb:4X LEAF").weights_sha256 == SHA256
    assert service.asked.count("/files/net.safetensors") == 1, "a name and an id are one model"
    assert resolved("openmodeldb:4x-Leaf,range=255").weights_sha256 != SHA256
    with pytest.raises(BadInput, match="key= chooses a network in a checkpoint file you have"):
        resolved("openmodeldb:4x-Leaf,key=net_g")


def test_records_name_it(service: Service, tmp_path: Path) -> None:
    table = srbench.evaluate(
        "openmodeldb:4x-Leaf", datasets="clean-mini", metrics="psnr", store=tmp_path, limit=1
    )
    (row,) = table.itertuples()
    assert (row.model, row.model_title, row.weights_sha256) == ("4x-Leaf", "4x Leaf, by ann", SHA256)


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        ("openmodeldb:4x-Laef", BadInput, r"unknown model of OpenModelDB '4x-Laef': did you mean 4x-Leaf"),
        (
            "openmodeldb:2x-Half",
            BadInput,
            "openmodeldb:2x-Half is an x2 model, and x4 is measured: --scale 2 takes it",
        ),
        (
            "openmodeldb:4x-Page",
            BadInput,
            r"only a person can fetch it \(licence: CC-BY-4.0\): take it from https://mega.nz/file/abc#key",
        ),
        ("openmodeldb:4x-Zip", BadInput, r"only a person can fetch it .*/files/net.zip"),
        (
            "openmodeldb:4x-Onnx",
            BadInput,
            r"only a person .* https://openmodeldb.info/models/4x-Onnx and name the file",
        ),
        ("openmodeldb:4x-Other", Unavailable, "gave a file whose sha256 is"),
        ("openmodeldb:4x-Gone", Unavailable, "the server answered 404"),
        ("openmodeldb:4x-Text", BadInput, "is damaged or no checkpoint"),
        (
            "hf:some-lab/sr-net/ent.safetensors",
            BadInput,
            r"unknown file of some-lab/sr-net 'ent.safetensors': did you mean net.safe",
        ),
        (
            "hf:some-lab/sr-net/net.safetensors@v9",
            BadInput,
            "some-lab/sr-net on Hugging Face has no revision 'v9'",
        ),
        ("hf:some-lab/nothing/net.pth", BadInput, "Hugging Face shows no repository some-lab/nothing"),
        ("hf:net.pth", BadInput, r"'hf:net.pth' names no file: write hf:OWNER/REPOSITORY/FILE\[@REVISION\]"),
        ("hf:some-lab/sr-net/../net.pth", BadInput, "names no file"),
        ("hf:some-lab/sr-net/README.md", BadInput, "is damaged or no checkpoint"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(
    service: Service, spec: str, error: type[RunFailed | BadInput], said: str, private_home: Path
) -> None:
    service.model("2x-Half", scale=2)
    service.model("4x-Page", resource={"urls": ["https://mega.nz/file/abc#key"]})
    service.model("4x-Zip", resource={"urls": [f"{service.url}/files/net.zip"]})
    service.model("4x-Onnx", resource={"type": "onnx"})
    service.model("4x-Other", resource={"sha256": "0" * 64})
    service.model("4x-Gone", resource={"urls": [f"{service.url}/files/gone.pth"]})
    text = b"no network at all" * 9
    service.answers["/files/text"] = text
    digest = hashlib.sha256(text).hexdigest()
    service.model(
        "4x-Text", resource={"urls": [f"{service.url}/files/text"], "sha256": digest, "size": len(text)}
    )
    with pytest.raises(error, match=said) as caught:
        zoo.resolve([spec], 4)
    assert "\n" not in str(caught.value)
    assert not list((private_home / "weights").rglob("*.safetensors"))


def test_the_next_address_is_tried(service: Service) -> None:
    urls = [
        "https://www.mediafire.com/file/x",
        f"{service.url}/files/gone",
        f"{service.url}/files/net.safetensors",
    ]
    service.model("4x-Many", resource={"urls": urls})
    assert resolved("openmodeldb:4x-Many").weights_sha256 == SHA256


@pytest.mark.parametrize(
    "answer", [b"no json", b'{"4x-Leaf": 3}', b'{"4x-Leaf": {"name": "4x-Leaf", "scale": "four"}}']
)
def test_an_answer_that_is_none(service: Service, answer: bytes) -> None:
    service.answers["/models.json"] = answer
    with pytest.raises(Unavailable, match="OpenModelDB could not be asked for 4x-Leaf"):
        resolved("openmodeldb:4x-Leaf")


@pytest.mark.parametrize("spec", ["openmodeldb:4x-Leaf", "hf:some-lab/sr-net/net.safetensors"])
def test_offline_unreachable_and_without_the_library(
    service: Service, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openmodeldb import client

    with monkeypatch.context() as patch:
        patch.setenv("SRBENCH_OFFLINE", "1")
        with pytest.raises(
            Unavailable, match=f"^{spec} is not here, and SRBENCH_OFFLINE=1 forbids fetching it$"
        ):
            resolved(spec)
    with monkeypatch.context() as patch:
        patch.setattr(client, "API_URL", "http://127.0.0.1:9/models.json")
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(Unavailable, match=r"^127\.0\.0\.1 cannot be reached$"):
            resolved(spec)
    for library in ("openmodeldb", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Unavailable, match=r"needs .*: pip install 'srbench\["):
        resolved(spec)
    assert service.asked == []


def test_a_network_that_makes_another_size_is_refused(service: Service, tmp_path: Path) -> None:
    torch.save({"weight": nn.Conv2d(3, 3, 3).weight.data}, tmp_path / "x.pth")
    data = (tmp_path / "x.pth").read_bytes()
    service.repository(**{"x.pth": data})
    with pytest.raises(BadInput, match="spandrel does not know this architecture"):
        resolved("hf:some-lab/sr-net/x.pth")


def test_a_damaged_copy_is_named(service: Service, private_home: Path) -> None:
    ref = resolved("openmodeldb:4x-Leaf")
    [weights] = (private_home / "weights/models").glob("*.safetensors")
    weights.write_bytes(CONTENT[:-1] + b"\0")
    with pytest.raises(
        BadInput, match="was changed or removed: remove it, and openmodeldb:4x-Leaf is fetched again"
    ):
        ref.load()
    weights.unlink()
    assert resolved("openmodeldb:4x-Leaf").load().name == "4x-Leaf"


def test_the_list_and_the_install_command(service: Service) -> None:
    done = CliRunner().invoke(models_app, ["install", "openmodeldb:4x-Leaf"])
    assert (
        "a community model by ann, from OpenModelDB; licence: CC-BY-4.0" in done.stdout
        and SHA256 in done.stdout
    )
    listed = json.loads(CliRunner().invoke(models_app, ["--json"]).stdout)
    [entry] = [row for row in listed if row["name"] == "openmodeldb:4x-Leaf"]
    assert entry["installed"] and entry["sha256"] == SHA256 and entry["licence"] == "CC-BY-4.0"
    assert entry["verified"] and entry["origin"] == f"{service.url}/files/net.safetensors"
    assert [card.name for card, _ in community.installed()] == ["openmodeldb:4x-Leaf"]
