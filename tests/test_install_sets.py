"""`srbench datasets install` from archives on a local server."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers import inside, write_pairs
from misbehaving import Bad, misbehaving
from typer.testing import CliRunner

from srbench import datasets
from srbench.cli import app
from srbench.datasets import manifests
from srbench.datasets.downloads import install_set, install_training
from srbench.errors import BadInput, RunFailed, Unavailable
from srbench.install import hosts, http

Publish = Callable[..., None]


def archive(folder: Path, inside: str = "") -> bytes:
    """The files of a folder as a zip, below ``inside``, with what a Mac adds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for file in sorted(folder.iterdir()):
            opened.write(file, f"{inside}{file.name}")
        opened.writestr("__MACOSX/._0001.png", b"nothing")
        opened.writestr(f"{inside}.DS_Store", b"nothing")
        opened.writestr("readme.txt", "cite us")
    return buffer.getvalue()


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bad]:
    """A server with three archives as the challenges publish them."""
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(http, "READ_TIMEOUT_S", 0.5)
    monkeypatch.setattr(http, "PAUSE_S", 0.0)
    hosts.reachable.cache_clear()
    lr, hr = write_pairs(tmp_path / "published", 3)
    with misbehaving() as server:
        server.files["input.zip"] = archive(lr, "input/")
        server.files["HR.zip"] = archive(hr, "HR/deep/")
        server.files["train.zip"] = archive(hr)
        yield server


@pytest.fixture
def publish(bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Write the manifest of a set whose archives are on the server, each served in a mode."""
    sets = tmp_path / "sets"
    sets.mkdir()
    monkeypatch.setattr(manifests, "_SETS", sets)

    def write(
        name: str = "toy", modes: str = "good", kind: str = "paired", sha256: bool = True, more: str = ""
    ) -> None:
        text = f'name="{name}"\ntitle="t"\ndomain="ntire"\nkind="{kind}"\nhow="how to get it."\n'
        text += f'licence="terms"\ncitation="c"\naliases=["{name}alias"]\n{more}\n'
        roles = {"input.zip": "lr", "HR.zip": "hr", "train.zip": "training"}
        for file, role in roles.items():
            if role == "hr" and kind != "paired":
                continue
            text += f'[[sources]]\nurl="{bad.url}/{modes}/{file}"\nfilename="{file}"\nrole="{role}"\n'
            if sha256:
                text += f'sha256="{hashlib.sha256(bad.files[file]).hexdigest()}"\n'
        (sets / f"{name}.toml").write_text(text)
        manifests._read.cache_clear()

    return write


@pytest.fixture
def said() -> list[str]:
    return []


def left(root: Path) -> list[str]:
    return sorted(p.name for p in root.iterdir() if not p.name.endswith(".lock"))


@pytest.mark.parametrize("sha256", [True, False])
def test_a_set_is_fetched_unpacked_and_registered(
    bad: Bad, publish: Publish, said: list[str], private_home: Path, sha256: bool, tmp_path: Path
) -> None:
    publish(sha256=sha256)
    state = install_set("toy", say=said.append, progress=False)
    assert state.available and state.images == 3
    assert state.lr == private_home / "files/input/input" and state.hr == private_home / "files/HR/HR/deep"
    direct = datasets.add("toy", tmp_path / "published/lr", tmp_path / "published/hr")
    assert direct.content_hash == state.content_hash
    assert left(private_home / "files") == ["HR", "input"]
    assert said[0] == "toy: licence: terms (do not pass copies on)"
    assert len(said) == (1 if sha256 else 3)
    assert sha256 or hashlib.sha256(bad.files["input.zip"]).hexdigest() in said[1]
    asked = len(bad.asked)
    said.clear()
    install_set("toyalias", say=said.append, progress=False)
    assert len(bad.asked) == asked and "is installed already (3 images" in said[0]


def test_what_two_sets_share_is_there_once(bad: Bad, publish: Publish, said: list[str]) -> None:
    publish("one")
    publish("two")
    first, second = (install_set(n, say=said.append, progress=False) for n in ("one", "two"))
    assert first.hr == second.hr
    assert sorted(name for _, name, _ in bad.asked) == ["HR.zip", "input.zip"]


def test_without_ground_truth_and_elsewhere(
    bad: Bad, publish: Publish, said: list[str], tmp_path: Path
) -> None:
    publish(kind="no-reference")
    state = install_set("toy", to=tmp_path / "big disk", say=said.append, progress=False)
    assert state.lr == tmp_path / "big disk/input/input" and state.hr is None


def test_archives_fetched_by_hand_need_no_network(
    bad: Bad, publish: Publish, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    given = [tmp_path / "input.zip", tmp_path / "HR.zip"]
    for file in given:
        file.write_bytes(bad.files[file.name])
    with pytest.raises(Unavailable, match="SRBENCH_OFFLINE=1"):
        install_set("toy", archives=given[:1], say=said.append)
    assert install_set("toy", archives=given, say=said.append).images == 3
    assert bad.asked == [] and all(file.is_file() for file in given)


def test_a_file_given_by_hand_that_is_not_it(
    bad: Bad, publish: Publish, said: list[str], tmp_path: Path
) -> None:
    publish()
    (tmp_path / "input.zip").write_bytes(bad.files["HR.zip"])
    with pytest.raises(BadInput, match=r"input\.zip is not input\.zip: its sha256 is"):
        install_set("toy", archives=[tmp_path / "input.zip"], say=said.append)
    with pytest.raises(
        BadInput, match=r"x\.zip is no archive of toy: its archives are input\.zip, HR\.zip, train"
    ):
        install_set("toy", archives=[tmp_path / "x.zip"], say=said.append)
    assert not datasets.status("toy").available


def test_images_to_train_on(bad: Bad, publish: Publish, said: list[str], private_home: Path) -> None:
    publish()
    folder = install_training("toy", say=said.append, progress=False)
    assert folder == private_home / "files/train" and len(list(folder.glob("*.png"))) == 3
    assert not datasets.status("toy").available


@pytest.mark.parametrize("mode", ["404", "page", "wrong", "stall", "cut", "endless", "silent"])
def test_a_server_that_fails_registers_nothing_and_the_same_command_goes_on(
    bad: Bad,
    publish: Publish,
    said: list[str],
    private_home: Path,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "MAX_BYTES", 1 << 20)
    publish(modes=mode)
    with pytest.raises(Unavailable) as error:
        install_set("toy", say=said.append, progress=False)
    assert "\n" not in str(error.value) and "input.zip" in str(error.value)
    assert not datasets.status("toy").available
    assert not [name for name in left(private_home / "files") if not name.startswith("..input.zip.part")]
    publish()
    assert install_set("toy", say=said.append, progress=False).images == 3
    assert left(private_home / "files") == ["HR", "input"]


def test_an_archive_that_is_none_is_fetched_anew(
    bad: Bad, publish: Publish, said: list[str], private_home: Path
) -> None:
    """Nothing published tells a good archive from a bad one; a bad one is not what is recorded."""
    good = bad.files["input.zip"]
    publish(sha256=False)
    bad.files["input.zip"] = good[: len(good) // 2]
    with pytest.raises(BadInput, match=r"input\.zip is damaged or no zip file"):
        install_set("toy", say=said.append, progress=False)
    assert left(private_home / "files") == [] and not (private_home / "first-use").exists()
    bad.files["input.zip"] = good
    assert install_set("toy", say=said.append, progress=False).images == 3


def test_a_change_at_the_source_is_refused(
    bad: Bad, publish: Publish, said: list[str], private_home: Path
) -> None:
    publish(sha256=False)
    before = install_set("toy", say=said.append, progress=False)
    # The copy is lost, and what is published now is another file.
    shutil.rmtree(private_home / "files")
    (private_home / "datasets/toy.json").unlink()
    bad.files["input.zip"] = bad.files["input.zip"] + b"trailing"
    with pytest.raises(BadInput, match=r"had [0-9a-f]{64} when it was first used on"):
        install_set("toy", say=said.append, progress=False)
    bad.files["input.zip"] = bad.files["input.zip"][: -len(b"trailing")]
    assert install_set("toy", say=said.append, progress=False).content_hash == before.content_hash


def test_a_download_is_not_held_against_an_archive_given_by_hand(
    bad: Bad, publish: Publish, said: list[str], private_home: Path, tmp_path: Path
) -> None:
    publish(sha256=False)
    given = tmp_path / "input.zip"
    given.write_bytes(bad.files["input.zip"] + b"trailing")
    before = install_set("toy", archives=[given], say=said.append, progress=False)
    url = f"{bad.url}/good/input.zip"

    def origins() -> list[str]:
        records = sorted((private_home / "first-use").glob("input.zip-*.json"))
        notes = private_home / "files/input/.srbench.json"
        return [json.loads(file.read_text())["origin"] for file in (*records, notes)]

    old = hashlib.sha256(given.read_bytes()).hexdigest()
    assert (
        origins() == [given.as_uri()] * 2 and f"its identity is not verified: {old} from file://" in said[1]
    )
    # What is unpacked is from there, whoever registers it.
    (private_home / "datasets/toy.json").unlink()
    install_set("toy", say=said.append, progress=False)
    assert origins() == [given.as_uri()] * 2
    said.clear()
    shutil.rmtree(private_home / "files")
    (private_home / "datasets/toy.json").unlink()
    assert install_set("toy", say=said.append, progress=False).content_hash == before.content_hash
    new = hashlib.sha256(bad.files["input.zip"]).hexdigest()
    assert origins() == [url] * 2 and said[1] == (
        f"input.zip from {url} (sha256 {new[:12]}…) replaces the unverified file from {given.as_uri()} "
        f"(sha256 {old[:12]}…)"
    )
    with pytest.raises(BadInput, match=f"first used on .* from {url}: it is not used"):
        (private_home / "datasets/toy.json").unlink()
        install_set("toy", archives=[given], say=said.append, progress=False)


def test_the_notes_of_an_older_srbench(
    bad: Bad, publish: Publish, said: list[str], private_home: Path
) -> None:
    """They do not say whether the address was contacted, so it is not claimed that it was."""
    publish(sha256=False)
    before = install_set("toy", say=said.append, progress=False)
    notes = private_home / "files/input/.srbench.json"
    found = json.loads(notes.read_text())
    notes.write_text(
        json.dumps({"address": found["published"], "sha256": found["sha256"], "bytes": found["bytes"]})
    )
    (private_home / "datasets/toy.json").unlink()
    shutil.rmtree(private_home / "first-use")
    asked = len(bad.asked)
    assert install_set("toy", say=said.append, progress=False) == before and len(bad.asked) == asked
    [record] = (private_home / "first-use").glob("input.zip-*.json")
    assert json.loads(record.read_text())["origin"] == (private_home / "files/input").as_uri()


def test_a_hostile_archive_writes_nothing(
    bad: Bad, publish: Publish, said: list[str], private_home: Path
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("../../datasets/toy.json", "{}")
    bad.files["input.zip"] = buffer.getvalue()
    publish()
    with pytest.raises(
        BadInput, match=r"was refused: .* cannot name a file inside a folder; nothing was unpacked"
    ):
        install_set("toy", say=said.append, progress=False)
    assert left(private_home / "files") == [] and not (private_home / "datasets").exists()


def test_two_folders_of_images_are_not_guessed_at(
    bad: Bad, publish: Publish, said: list[str], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as opened:
        for name in ("a/1.png", "b/1.png"):
            opened.write(tmp_path / "published/lr/000x4.png", name)
    bad.files["input.zip"] = (tmp_path / "two.zip").read_bytes()
    publish()
    with pytest.raises(
        BadInput, match=r"should hold one folder of images and has 2 \(a, b\): register the right"
    ):
        install_set("toy", say=said.append, progress=False)


def test_a_folder_that_cannot_be_written(bad: Bad, publish: Publish, said: list[str], tmp_path: Path) -> None:
    publish()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunFailed, match="cannot be written"):
        install_set("toy", to=tmp_path / "file", say=said.append, progress=False)


@pytest.mark.parametrize("name", ["manga109", "realsrset", "set5", "faces"])
def test_what_srbench_cannot_fetch_says_how_to_get_it(name: str, said: list[str]) -> None:
    with pytest.raises(BadInput) as error:
        install_set(name, say=said.append)
    card = datasets.manifest(name)
    line = str(error.value)
    assert card.how in line and card.licence in line and f"`srbench datasets add {name} --lr DIR" in line
    assert "\n" not in line


def test_every_published_set_says_where_it_is() -> None:
    installable = [n for n in datasets.names() if datasets.manifest(n).installable]
    assert sorted(installable) == ["aim", "clean", "dped", "ntire"]
    assert datasets.manifest("div2k").name == "clean"
    for name in installable:
        how = srbench_listing()[name]
        assert (
            how.startswith(f"srbench datasets install {name}, or ")
            or f"`srbench datasets install {name}`" in how
        )


def srbench_listing() -> dict[str, str]:
    lines = CliRunner().invoke(app, ["datasets"]).output.splitlines()
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if "`srbench datasets " in line}


def test_the_commands(bad: Bad, publish: Publish, private_home: Path, tmp_path: Path) -> None:
    publish(sha256=False)
    done = CliRunner().invoke(app, ["datasets", "install", "toy"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "toy: licence: terms (do not pass copies on)"
    assert "no published sha256" in lines[1] and lines[-1].startswith("toy is registered: 3 images, content ")
    done = CliRunner().invoke(app, ["datasets", "install", "toy", "--training"])
    assert f"`srbench train rsr --data {private_home / 'files/train'}`" in done.output


def test_the_command_fails_with_one_line() -> None:
    for name, code, word in (
        ("ntire", 1, "SRBENCH_OFFLINE=1"),
        ("ntire-mini", 2, "built in"),
        ("ntir", 2, "ntire"),
    ):
        done = inside("datasets", "install", name)
        assert done.returncode == code and word in done.stderr and "Traceback" not in done.stderr
        assert len([line for line in done.stderr.splitlines() if line.startswith("srbench: ")]) == 1
