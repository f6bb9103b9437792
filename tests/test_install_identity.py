"""Weights that no published sha256 vouches for say so, belong to one model, and are from where it says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import test_install_models
import torch
from helpers import record
from misbehaving import Bad
from test_install_models import Publish, get
from typer.testing import CliRunner

from srbench import zoo
from srbench.boards.compute import tables
from srbench.boards.files import as_json, markdown, means_frame
from srbench.cli import app
from srbench.errors import BadInput
from srbench.install import first_use, obtain
from srbench.install.source import Source
from srbench.support import home
from srbench.zoo.installed import read_record, record_path

bad, publish = test_install_models.bad, test_install_models.publish


def sha(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def first_uses(private_home: Path) -> list[dict[str, str]]:
    return [json.loads(file.read_text()) for file in sorted((private_home / "first-use").glob("*.json"))]


def installed_origin(name: str) -> str:
    found = read_record(name)
    assert found is not None
    return found.origin


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["models", *words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def refused(*words: str) -> str:
    """The one line of a command that ends with exit code 2."""
    done = CliRunner().invoke(app, ["models", *words])
    assert isinstance(done.exception, BadInput) and done.exception.exit_code == 2
    assert "\n" not in str(done.exception)
    return str(done.exception)


def test_an_install_without_a_published_sha256_says_that_it_is_not_verified(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    file = tmp_path / "toy.pth"
    words = f"identity not verified: sha256 {sha(file)[:12]}…"
    [line] = run("install", "toy-one", "--from", str(file)).splitlines()
    assert line.startswith("toy-one is installed: ") and f"({words} from {file.as_uri()}, as " in line
    listing = run()
    assert f"toy-one: {words}, as its authors publish none" in listing.splitlines()
    assert "toy-two" in listing and "toy-two: identity" not in listing
    [shown] = [one for one in json.loads(run("--json")) if one["name"] == "toy-one"]
    assert (shown["installed"], shown["verified"], shown["origin"]) == (True, False, file.as_uri())
    assert zoo.resolve(["toy-one"])[0].note.startswith(f"toy-one: {words}")


def test_a_download_without_a_published_sha256_is_not_verified_either(
    bad: Bad,
    publish: Publish,
    tmp_path: Path,
) -> None:
    publish()
    words = f"identity not verified: sha256 {sha(tmp_path / 'toy.pth')[:12]}…"
    assert f"({words} from {bad.url}/good/toy.pth, as its authors publish none" in run("install", "toy-one")


def test_a_published_sha256_is_what_it_was(publish: Publish, tmp_path: Path) -> None:
    publish(sha256=sha(tmp_path / "toy.pth"))
    [line] = run("install", "toy-one", "--from", str(tmp_path / "toy.pth")).splitlines()
    assert line.endswith(f"(sha256 of the source {sha(tmp_path / 'toy.pth')})")
    assert "not verified" not in run() and zoo.resolve(["toy-one"])[0].note == ""


PUBLISHED = "b39f06be1aea3349a2d4ea584262e7baa5f62a54d9be3247c12b7823c3aa72a0"
"""Of impressionism-dped, on its card."""


def test_a_board_gives_no_mark_to_what_rests_on_a_name() -> None:
    of = {"impressionism-dped": PUBLISHED, "esrgan-fs-dped": "ab" * 32, "mine": "cd" * 32}
    records = [
        record(model=name, training_domain="dped", dataset_domain="dped", weights_sha256=sha256)
        for name, sha256 in of.items()
    ]
    [table] = tables(records)
    marks = {row.model: list(row.marks.values()) for row in table.rows}
    assert marks == {"impressionism-dped": ["in-domain"], "mine": ["in-domain"], "esrgan-fs-dped": [""]}
    text = markdown([table])
    [line] = [line for line in text.splitlines() if "| esrgan-fs-dped" in line]
    assert "| esrgan-fs-dped (not verified abababab) | dped? |" in line and "●" not in line
    assert text.count("identity not verified: ") == 1
    assert "- Flag: identity not verified: sha256 abababababab… of esrgan-fs-dped: " in text
    rows = json.loads(as_json([table]))[0]["rows"]
    assert [row["model"] for row in rows if "identity" in row] == ["esrgan-fs-dped"]
    frame = means_frame([table])
    assert set(frame[frame.identity.notna()].model) == {"esrgan-fs-dped"}


def test_a_board_of_verified_models_has_nothing_new() -> None:
    [table] = tables([record(model="impressionism-dped", weights_sha256=PUBLISHED), record(model="bicubic")])
    assert "identity" not in means_frame([table]) and "identity" not in as_json([table])
    assert "verified" not in markdown([table])


def test_another_name_does_not_hide_it(publish: Publish, tmp_path: Path) -> None:
    publish()
    zoo.install("toy-one", tmp_path / "toy.pth")
    [ref] = zoo.resolve(["mine=toy-one"])
    assert (ref.name, ref.card.domain, zoo.card("toy-one").domain) == ("mine", "unknown", "clean")


def test_one_file_is_not_two_models(publish: Publish, tmp_path: Path, private_home: Path) -> None:
    publish(two="two.pth")
    run("install", "toy-one", "--from", str(tmp_path / "toy.pth"))
    line = refused("install", "toy-two", "--from", str(tmp_path / "toy.pth"))
    assert "is not installed as toy-two: it is installed as toy-one already" in line
    assert not zoo.status("toy-two").installed and len(first_uses(private_home)) == 1
    # Neither is the file that was made of it.
    converted = zoo.status("toy-one").path
    assert converted is not None and "toy-one already" in refused(
        "install", "toy-two", "--from", str(converted)
    )
    # What the line says to do does it.
    assert line.endswith(f"if it is toy-two, remove {record_path('toy-one')}")
    record_path("toy-one").unlink()
    run("install", "toy-two", "--from", str(tmp_path / "toy.pth"))


def test_one_download_is_not_two_models(bad: Bad, publish: Publish) -> None:
    bad.files["two.pth"] = bad.files["toy.pth"]
    publish(two="two.pth")
    run("install", "toy-one")
    assert "it is installed as toy-one already" in refused("install", "toy-two")


def test_a_published_file_of_one_model_is_no_other(shared: Path) -> None:
    file = shared / "assets/models/RealESRGAN_General_x4_v3_from_ncnn.pth"
    line = refused("install", "rsr", "--from", str(file))
    assert "is not installed as rsr: it is the published file of realesrgan-general" in line


def test_what_lies_about_under_two_names_is_neither(
    publish: Publish,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(two="two.pth")
    folder = tmp_path / "found"
    folder.mkdir()
    for name in ("toy.pth", "two.pth"):
        (folder / name).write_bytes((tmp_path / "toy.pth").read_bytes())
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(folder))
    home.forget_weight_files()
    one, two = zoo.status("toy-one"), zoo.status("toy-two")
    assert not one.installed and "two.pth, which should be toy-two" in one.how
    assert not two.installed and "toy.pth, which should be toy-one" in two.how
    (folder / "two.pth").unlink()
    home.forget_weight_files()
    assert zoo.status("toy-one").installed and zoo.status("toy-one").identity


def test_a_download_replaces_what_was_a_file(
    bad: Bad, publish: Publish, tmp_path: Path, private_home: Path
) -> None:
    publish()
    wrong, url = tmp_path / "other.pth", f"{bad.url}/good/toy.pth"
    run("install", "toy-one", "--from", str(wrong))
    assert (
        [one["origin"] for one in first_uses(private_home)]
        == [wrong.as_uri()]
        == [installed_origin("toy-one")]
    )
    assert bad.url not in (private_home / "weights/models/toy-one.json").read_text()
    old, new = sha(wrong)[:12], sha(tmp_path / "toy.pth")[:12]
    assert (
        f"toy-one: toy.pth from {url} (sha256 {new}…) replaces the unverified file from {wrong.as_uri()} "
        f"(sha256 {old}…)"
    ) in run("install", "toy-one").splitlines()
    assert zoo.status("toy-one").sha256 == sha(tmp_path / "toy.pth")
    assert [one["origin"] for one in first_uses(private_home)] == [url] == [installed_origin("toy-one")]
    # From now on it is what the address gave, and neither a file nor another download takes its place.
    assert "toy-one is installed already" in run("install", "toy-one")
    assert "when it was first used on" in refused("install", "toy-one", "--from", str(wrong))
    record_path("toy-one").unlink()
    bad.files["toy.pth"] = wrong.read_bytes()
    assert f"from {url}: it is not used" in refused("install", "toy-one")
    assert [one["sha256"] for one in first_uses(private_home)] == [sha(tmp_path / "toy.pth")]


def test_the_download_of_weights_that_are_gone_replaces_what_was_a_file(
    bad: Bad, publish: Publish, tmp_path: Path, private_home: Path
) -> None:
    publish()
    zoo.install("toy-one", tmp_path / "other.pth")
    record_path("toy-one").unlink()
    assert " replaces the unverified file from file://" in run("install", "toy-one")
    assert [one["sha256"] for one in first_uses(private_home)] == [sha(tmp_path / "toy.pth")]


def test_the_same_content_from_both(bad: Bad, publish: Publish, tmp_path: Path, private_home: Path) -> None:
    publish()
    file, url = tmp_path / "toy.pth", f"{bad.url}/good/toy.pth"
    again = tmp_path / "again.pth"
    again.write_bytes(file.read_bytes())
    path = zoo.install("toy-one", file).path
    assert path is not None
    written = path.stat().st_mtime_ns
    assert zoo.install("toy-one", again).origin == file.as_uri()  # nothing is to be done
    assert path.stat().st_mtime_ns == written and [one["origin"] for one in first_uses(private_home)] == [
        file.as_uri()
    ]
    output = run("install", "toy-one")
    assert "replaces" not in output and f" from {url}, as " in output
    for _ in range(2):
        assert [one["origin"] for one in first_uses(private_home)] == [url] == [installed_origin("toy-one")]
        zoo.install("toy-one", again)  # the file after the download


def test_a_file_does_not_replace_a_file(publish: Publish, tmp_path: Path) -> None:
    publish()
    zoo.install("toy-one", tmp_path / "toy.pth")
    line = refused("install", "toy-one", "--from", str(tmp_path / "other.pth"))
    assert (
        f"from {(tmp_path / 'toy.pth').as_uri()}: it is not used; if you trust the new one, remove " in line
    )


@pytest.mark.parametrize("mode", ["offline", "404", "page"])
def test_a_file_stays_where_the_address_gives_nothing(
    publish: Publish,
    tmp_path: Path,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("good" if mode == "offline" else mode)
    before = zoo.install("toy-one", tmp_path / "toy.pth")
    monkeypatch.setenv("SRBENCH_OFFLINE", "1" if mode == "offline" else "0")
    said: list[str] = []
    assert zoo.download("toy-one", say=said.append, progress=False) == before
    assert said[-1].startswith("toy-one is installed already") and "\n" not in said[-1]
    assert mode == "offline" or "from a file, and was not fetched: " in said[-1]


def test_what_the_address_gives_may_be_no_such_network(
    bad: Bad, publish: Publish, tmp_path: Path, private_home: Path
) -> None:
    publish()
    before = zoo.install("toy-one", tmp_path / "toy.pth")
    torch.save({"params": torch.nn.Conv2d(3, 3, 3).state_dict()}, tmp_path / "none.pth")
    bad.files["toy.pth"] = (tmp_path / "none.pth").read_bytes()
    with pytest.raises(BadInput):
        get()
    assert zoo.status("toy-one") == before and installed_origin("toy-one").startswith("file:")
    assert [one["origin"] for one in first_uses(private_home)] == [(tmp_path / "toy.pth").as_uri()]


def test_what_lies_in_the_downloads_is_not_taken_for_what_the_address_gives(
    bad: Bad, publish: Publish, tmp_path: Path, private_home: Path
) -> None:
    publish()
    zoo.install("toy-one", tmp_path / "other.pth")
    (private_home / "downloads").mkdir()
    (private_home / "downloads/toy.pth").write_bytes((tmp_path / "other.pth").read_bytes())
    assert get().sha256 == sha(tmp_path / "toy.pth") and len(bad.asked) == 1


def test_records_of_an_older_srbench(bad: Bad, publish: Publish, tmp_path: Path, private_home: Path) -> None:
    """They do not say where a file was from: it is fetched once more, and a change at the address refused."""
    publish()
    get()
    path = record_path("toy-one")
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "origin"}))
    [known] = (private_home / "first-use").glob("*.json")
    text = known.read_text()
    known.write_text(text.replace('"origin"', '"address"'))
    assert zoo.status("toy-one").origin == ""
    assert get().origin == f"{bad.url}/good/toy.pth" and len(bad.asked) == 2
    path.unlink()
    bad.files["toy.pth"] = (tmp_path / "other.pth").read_bytes()
    with pytest.raises(BadInput, match="when it was first used on"):
        get()


def test_addresses_are_those_that_are_contacted(monkeypatch: pytest.MonkeyPatch) -> None:
    drive = "1w8QbCLM6g-MMVlIhRERtSXrP-Dh7cPhm"
    assert obtain.contacted(f"gdrive:{drive}") == f"https://drive.google.com/uc?id={drive}"
    file = "hf://owner/repository/folder/file.pth"
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert obtain.contacted(file) == "https://huggingface.co/owner/repository/resolve/main/folder/file.pth"
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert (
        obtain.contacted(f"{file}@v1") == "https://mirror.example/owner/repository/resolve/v1/folder/file.pth"
    )


def test_a_second_address_is_recorded_as_the_one_that_gave_it(
    bad: Bad,
    tmp_path: Path,
    private_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drive(address: str, part: Path, **how: object) -> None:
        part.write_bytes(b"content")

    monkeypatch.setattr("srbench.install.extras.drive", drive)
    source = Source(
        url=f"{bad.url}/404/file.bin", drive="1w8QbCLM6g-MMVlIhRERtSXrP-Dh7cPhm", filename="file.bin"
    )
    file = obtain.obtain(source, tmp_path / "file.bin", progress=False)
    assert first_use.record(source, file.sha256, file.bytes, file.origin)
    assert first_uses(private_home)[0]["origin"] == f"https://drive.google.com/uc?id={source.drive}"
