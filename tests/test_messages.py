"""What a user reads who named something otherwise, who has no network, or whose script reads the output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import inside, write_pairs
from typer.testing import CliRunner

from srbench import attacks, datasets
from srbench.cli import app
from srbench.datasets.manifests import manifest
from srbench.errors import BadInput, Unavailable, unknown
from srbench.metrics import installing


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_an_unknown_attack_lists_the_presets() -> None:
    line = str(run("evaluate", "--models", "bicubic", "--attacks", "pgd").exception)
    assert all(name in line for name in attacks.names())
    assert str(unknown("model", "a", [f"model-{n}" for n in range(99)], "srbench models")).endswith(
        "`srbench models` lists them all"
    )


@pytest.mark.parametrize("name", ["photos", "deep/er", "with space"])
def test_a_folder_given_as_a_data_set_is_shown_how(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for command in (["evaluate", "--models", "bicubic"], ["attack", "bicubic"]):
        done = run(*command, "--datasets", name)
        assert isinstance(done.exception, BadInput)
        assert f"{name} is a folder: folder:{name} takes its images" in str(done.exception)
    lr, _ = write_pairs(tmp_path / "images", 1)
    datasets.resolve([f"folder:{lr}"])
    with pytest.raises(BadInput, match=f"data sets are folders of images, folder:{lr}"):
        manifest(f"{lr}/000x4.png")


def test_a_model_of_another_scale_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "doubles.py").write_text(
        "from torch import nn\n\ndef net():\n"
        "    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    arguments = ["--datasets", "clean-mini", "--limit", "1", "--metrics", "psnr"]
    done = run("evaluate", "--models", "doubles:net", *arguments)
    assert "is an x2 model, and x4 is measured: --scale 2 takes it" in str(done.exception)
    assert run("evaluate", "--models", "doubles:net", *arguments, "--scale", "2").exit_code == 0


def test_where_no_server_answers_the_way_by_hand_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise Unavailable("example.org cannot be reached")

    monkeypatch.setattr("srbench.datasets.downloads.obtain", unreachable)
    monkeypatch.setattr("srbench.metrics.weights.obtain", unreachable)
    monkeypatch.setattr("srbench.zoo.published.obtain", unreachable)
    line = str(run("datasets", "install", "ntire").exception)
    assert "example.org cannot be reached" in line
    assert "`srbench datasets install ntire --from track1-valid-input.zip`" in line
    line = str(run("datasets", "install", "div2k", "--training").exception)
    assert "`srbench datasets install clean --training --from " in line
    with pytest.raises(
        Unavailable, match=r"`srbench metrics install lpips --from alexnet-owt-7be5be79\.pth`"
    ):
        installing.install("lpips", (), lambda _: None)
    line = str(run("models", "install", "esrgan").exception)
    assert "`srbench models install esrgan --from " in line and "the index pip is configured with" in line


def test_a_script_reads_json_and_nothing_else(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path / "images", 2)
    asked = ["--models", "bicubic", "--datasets", f"pairs:{lr}:{hr}", "--metrics", "psnr", "--json"]

    command = [sys.executable, "-m", "srbench", "evaluate", *asked, "--quiet"]
    quiet = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    loud = inside("evaluate", *asked)
    assert quiet.returncode == loud.returncode == 0
    assert quiet.stderr == "" and "2 already in" in loud.stderr
    assert json.loads(quiet.stdout) == json.loads(loud.stdout)
    assert json.loads(quiet.stdout)[0]["rows"][0]["model"] == "bicubic"
    failed = inside("evaluate", *asked, "--quiet", "--rerun", "never", "--store", str(tmp_path / "other"))
    assert failed.returncode == 2 and len(failed.stderr.splitlines()) == 1


def test_completion_is_printed_and_writes_nothing(tmp_path: Path) -> None:
    def alone(*arguments: str, **more: str) -> str:
        home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
        start = "import sys; sys.argv[0] = 'srbench'; from srbench.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", start, *arguments],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=os.environ | home | more,
            timeout=100,
        ).stdout

    def completed(line: str) -> list[str]:
        words = line.split(" ")
        asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        return alone(_SRBENCH_COMPLETE="complete_bash", **asked).split()

    assert completed("srbench ev") == ["evaluate"]
    assert completed("srbench models ins") == ["install"]
    assert completed("srbench evaluate --data") == ["--datasets"]
    assert "--preset" not in completed("srbench attack --p")
    assert "complete -o default -F" in alone(_SRBENCH_COMPLETE="source_bash")
    assert list(tmp_path.iterdir()) == []
