"""Every command the pages show is one of the command line, and the cheap ones run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import typer
from helpers import write_pairs
from safetensors.torch import load_file
from typer.testing import CliRunner

from srbench import datasets
from srbench.cli import app
from srbench.metrics import metric
from srbench.protocols import protocol

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "leaderboards").rglob("*.md"),
    ]
)
RUNS = "<!-- runs -->"
"""Before a block of commands that are cheap enough to be run by a test."""


WRITES_AT_ONCE = ("--install-completion", "--show-completion")
"""Options that act while they are parsed: the first writes into the shell's settings of whoever runs this."""


@dataclass(frozen=True)
class Shown:
    """A command on a page.

    Attributes:
        runs: it stands in a block marked with :data:`RUNS`.
        named: it stands in a sentence, which may leave out what the command needs.
    """

    page: str
    line: int
    arguments: tuple[str, ...]
    runs: bool = False
    named: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def shown_in(page: Path) -> Iterator[Shown]:
    """Every ``srbench …`` in code blocks, fenced or indented, and in inline code; of output, after ``$``."""
    name = page.relative_to(ROOT).as_posix()
    text = re.sub(r"\\\n *", lambda found: " " * len(found[0]), page.read_text(encoding="utf-8"))
    fenced = runs = announced = output = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip().startswith("```"):
            fenced, output = not fenced, line.strip() == "```text"
            runs, announced = announced and fenced, False
        elif line.strip() == RUNS:
            announced = True
        elif output and not line.startswith("$ "):
            continue
        elif fenced or line.startswith("    "):
            code = line.strip().removeprefix("$ ")
            for part in re.split(r"&&|\|\|", code) if re.match(r"([A-Z_]+=\S* )*srbench\b", code) else []:
                words = shlex.split(part, comments=True)
                while words and "=" in words[0]:
                    words.pop(0)
                if words[:1] == ["srbench"]:
                    yield Shown(name, number, tuple(words[1:]), runs)
    prose = re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), text, flags=re.DOTALL)
    for found in re.finditer(r"`srbench ([^`]+)`", prose):
        words = shlex.split(found[1])
        yield Shown(name, prose[: found.start()].count("\n") + 1, tuple(words), named=True)


SHOWN = [shown for page in PAGES for shown in shown_in(page)]


def parse(arguments: tuple[str, ...]) -> None:
    """Parse a command line with the application's own parser, and run nothing.

    Raises:
        Exception: what the command line would refuse.
    """
    command: Any = typer.main.get_command(app)
    if arguments[0] in WRITES_AT_ONCE:
        assert arguments[1:] == () and any(arguments[0] in parameter.opts for parameter in command.params)
        return
    name, context = "srbench", None
    # COMMAND stands for any of them.
    rest = ["doctor" if word == "COMMAND" else word for word in arguments]
    try:
        while True:
            context = command.make_context(name, list(rest), parent=context)
            if not hasattr(command, "resolve_command"):
                return
            rest = [*context._protected_args, *context.args]
            if not rest:
                return
            name, command, rest = command.resolve_command(context, rest)
    except typer.Exit as done:
        assert done.exit_code == 0


def test_the_pages_show_commands() -> None:
    pages = {shown.page for shown in SHOWN}
    assert {"README.md", "CONTRIBUTING.md", "docs/index.md", "docs/attacks.md"} <= pages
    assert len(SHOWN) > 80
    assert sum(shown.runs for shown in SHOWN) >= 10
    readme = [" ".join(shown.arguments) for shown in SHOWN if shown.page == "README.md"]
    assert "evaluate --models all --datasets ntire,aim" in readme


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_every_command_shown_is_one(shown: Shown) -> None:
    try:
        parse(shown.arguments)
    except Exception as error:
        if not (shown.named and type(error).__name__ == "MissingParameter"):
            raise


@pytest.mark.parametrize(
    "wrong",
    [
        "evalaute",
        "evaluate --modles bicubic",
        "evaluate --limit few",
        "evaluate --track tiny",
        "datasets ad x",
    ],
)
def test_a_wrong_command_would_be_found(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|invalid|valid|is not one of"):
        parse(tuple(wrong.split()))


def what_pages_call_yours(folder: Path) -> None:
    """A checkpoint, pairs and photographs under the names that pages give to a reader's own."""
    torch.save(load_file(ROOT / "zoo/mini/esrgan-mini.safetensors"), folder / "my_net.pth")
    lr, hr = write_pairs(folder / "yours", 2, side=32)
    lr.rename(folder / "LR_DIR")
    hr.rename(folder / "HR_DIR")
    lr, _ = write_pairs(folder / "more", 1, side=40, seed=1)
    lr.rename(folder / "PHOTOS")


def test_every_command_of_the_readme_is_run() -> None:
    """Those in blocks by this file; make demo runs the first of them, and make test this."""
    shown = [each for each in SHOWN if each.page == "README.md"]
    assert [str(each) for each in shown if not (each.runs or each.named)] == []
    assert sum(each.runs for each in shown) == 6
    named = {" ".join(each.arguments) for each in shown if each.named}
    # tests/test_metrics_from_index.py runs the first on an index of its own, tests/test_cli.py the listings.
    assert named == {"install recommended", "models", "datasets"}
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    assert re.findall(r"^    make (\w+)", text, re.M) == ["demo", "test"]
    first = " ".join(next(each for each in shown if each.runs).arguments)
    assert f"srbench {first}\n" in (ROOT / "Makefile").read_text()
    assert "make test\n" in (ROOT / ".ci/run").read_text()


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)", page.read_text()):
            assert (
                (page.parent / target).exists()
                or target.startswith("api/")
                or ("commands/" in target and page.parent.name in ("docs", "commands"))
            ), (page, target)


def test_piqe_prefers_noise_as_the_pages_say() -> None:
    """Of the same SR image PIQE likes the noisy one better, which PSNR and the eye do not."""
    (clean,), _ = datasets.resolve(["clean-mini"])
    score = metric("piqe").make_scorer(protocol("rsr").metrics["piqe"].params, "cpu")
    better = 0
    for name in clean.ids[:3]:
        lr = torch.from_numpy(clean.load(name).lr).float().permute(2, 0, 1)[None] / 255
        sr = F.interpolate(lr, scale_factor=4, mode="bicubic").clamp(0, 1)
        noise = torch.randn(sr.shape, generator=torch.Generator().manual_seed(0)) * 10 / 255
        better += score((sr + noise).clamp(0, 1), None) < score(sr, None)
    assert better == 3


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({shown.page for shown in SHOWN if shown.runs}))
def test_cheap_commands_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leaderboards").symlink_to(ROOT / "leaderboards")
    what_pages_call_yours(tmp_path)
    for shown in SHOWN:
        if shown.page == page and shown.runs:
            done = CliRunner().invoke(app, list(shown.arguments))
            assert done.exit_code == 0, (shown.arguments, done.output, done.exception)
            assert done.output.strip()


def test_cheap_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [
        block
        for page in PAGES
        for block in re.findall(
            rf"^{RUNS}\n```python\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE
        )
    ]
    assert blocks
    for block in blocks:
        exec(compile(block, "a block of the documentation", "exec"), {})
