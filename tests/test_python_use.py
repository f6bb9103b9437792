"""srbench from Python as one types it: names that show, lists by commas, progress, errors in a notebook."""

from __future__ import annotations

import io
import sys
import types
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers import write_pairs

import srbench
from srbench import attacks, datasets, zoo
from srbench.errors import BadInput, RunFailed
from srbench.metrics import registry
from srbench.support.words import listed, words
from srbench.zoo.from_python import from_python


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    lr, hr = write_pairs(tmp_path / "images", 3)
    return f"pairs:{lr}:{hr}"


def test_what_shows_is_what_can_be_called() -> None:
    assert dir(srbench) == [
        *("__version__", "attack", "evaluate", "leaderboard", "list_attacks", "list_datasets"),
        *("list_metrics", "list_models", "show_versions"),
    ]
    for name in dir(srbench)[1:]:
        function = getattr(srbench, name)
        assert callable(function) and ">>> " in function.__doc__


def test_lists_are_those_of_the_command_line() -> None:
    assert srbench.list_models() == zoo.names()
    assert srbench.list_datasets() == datasets.names()
    assert srbench.list_metrics() == list(registry())
    assert srbench.list_attacks()[: len(attacks.names())] == attacks.names()
    assert {"jpeg", "gaussian-noise"} <= set(srbench.list_attacks())
    for name in srbench.list_attacks():
        assert attacks.resolve([name])
    assert srbench.list_models("*-mini", installed=True) == srbench.list_models("*-mini")
    assert (
        srbench.list_models(["esrgan", "bic*"]) == srbench.list_models("bic*,esrgan") == ["bicubic", "esrgan"]
    )
    assert srbench.list_models(installed=True) == [n for n in zoo.names() if zoo.status(n).installed]
    assert srbench.list_datasets(available=True) == [n for n in datasets.names() if "-mini" in n]
    assert "lpips" not in srbench.list_metrics(ready=True) and "psnr" in srbench.list_metrics(ready=True)
    assert srbench.list_metrics("no-such*") == []


def test_versions_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    srbench.show_versions()
    shown = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert shown["srbench"] == srbench.__version__ and {"Python", "torch", "commit"} <= shown.keys()


def test_one_text_names_several_as_on_the_command_line(pairs: str) -> None:
    texts = {"models": "bicubic, rsr-mini", "metrics": "psnr,ssim", "attacks": "none,random"}
    lists = {key: [part.strip() for part in text.split(",")] for key, text in texts.items()}
    by_text, by_list = (
        srbench.evaluate(**each, datasets=pairs, limit=1, progress=False)  # type: ignore[arg-type]
        for each in (texts, lists)
    )
    pd.testing.assert_frame_equal(by_text, by_list)
    assert sorted(set(by_text["model"])) == ["bicubic", "rsr-mini"]
    assert set(by_text["attack"]) == {"none", "random"}
    board = srbench.leaderboard(by_text, metrics="psnr,ssim")
    assert board.tables[0].metrics == ["psnr", "ssim"]


def test_a_comma_of_a_name_is_one(tmp_path: Path) -> None:
    assert listed(r"pairs:a\,b:c,ntire") == words(r"pairs:a\,b:c,ntire") == ("pairs:a,b:c", "ntire")
    assert listed(["a,b"]) == ("a,b",)
    lr, hr = write_pairs(tmp_path / "one, two", 1)
    records = srbench.evaluate("bicubic", datasets=[f"pairs:{lr}:{hr}"], metrics="psnr")
    assert len(records) == 1


def test_options_stay_with_their_model() -> None:
    (first, second) = from_python("bicubic,mine=helpers:blurry_upscaler,range=255,title=Mine").values()
    assert first[0].name == "bicubic"
    assert (second[0].name, second[0].card.title, second[0].card.value_range) == ("mine", "Mine", 255)


@pytest.mark.parametrize(
    ("watched", "asked", "shown"),
    [("terminal", True, True), ("terminal", False, False), ("", True, False), ("notebook", True, True)],
)
def test_progress_is_shown_where_somebody_watches(
    watched: str, asked: bool, shown: bool, pairs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if watched == "terminal" else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    shell = types.SimpleNamespace(config={"IPKernelApp": {}}) if watched == "notebook" else None
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    arguments: dict[str, Any] = {} if asked else {"progress": False}
    srbench.evaluate("bicubic", datasets=pairs, metrics="psnr", rerun="always", **arguments)
    text = stream.getvalue()
    if shown:
        assert "3/3" in text and "bicubic on" in text and "<00:00" in text
    else:
        assert text == ""


def test_bad_input_is_a_line_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput) as caught:
        srbench.evaluate("bicubik", datasets="ntire-mini")
    (line,) = caught.value._render_traceback_()
    assert line.startswith("BadInput: unknown model 'bicubik': did you mean bicubic?")
    monkeypatch.setenv("SRBENCH_DEBUG", "1")
    assert any("in evaluate" in part for part in caught.value._render_traceback_())
    assert not hasattr(RunFailed(""), "_render_traceback_")
