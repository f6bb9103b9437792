"""Files for indexes, containers and services name what there is: make targets, extras, files, the licence."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

yaml: Any = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))


def test_workflows_run_what_there_is() -> None:
    files = sorted((ROOT / ".github/workflows").glob("*.yml"))
    assert [file.stem for file in files] == ["docs", "tests"]
    commands = []
    for file in files:
        read = yaml.safe_load(file.read_text())
        assert {"push", "pull_request"} == set(read[True])  # YAML 1.1 takes "on" for true
        assert read["permissions"] == {"contents": "read"}
        for job in read["jobs"].values():
            assert job["timeout-minutes"] and all({"uses", "run"} & step.keys() for step in job["steps"])
            commands += [step["run"] for step in job["steps"] if "run" in step]
    assert ".ci/run" in commands
    for command in commands:
        word, *rest = command.split()
        assert set(rest) <= TARGETS if word == "make" else (ROOT / word).is_file()
    assert "--html build/docs/board\n" in MAKEFILE and "--html build/docs/board/pictures\n" in MAKEFILE
    assert "--dev-addr 127.0.0.1:8000" in MAKEFILE


def test_the_makefile_says_what_is_no_file() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.M)
    assert set(phony.split()) == TARGETS


def test_the_citation_is_of_this() -> None:
    read = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= read.keys()
    assert (read["title"], read["license"]) == (PROJECT["name"], PROJECT["license"])
    card = tomllib.loads((ROOT / "zoo/cards/rsr.toml").read_text())["citation"]
    (paper,) = read["references"]
    for part in (
        paper["title"],
        paper["authors"][0]["family-names"],
        paper["collection-title"],
        paper["year"],
    ):
        assert str(part) in card


def test_the_container_is_of_a_cuda_base_and_runs_as_a_user() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (base,) = re.findall(r"^FROM (.+)$", text, re.M)
    assert re.fullmatch(r"nvidia/cuda:\d+\.\d+\.\d+-base-ubuntu[\d.]+", base)
    assert re.search(r"^USER (?!root)", text, re.M) and 'ENTRYPOINT ["srbench"]' in text
    (extras,) = re.findall(r'"\.\[(.+)\]"', text)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    ignored = (ROOT / ".dockerignore").read_text().split()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    assert not set(ignored) & {*packages.values(), "pyproject.toml", "README.md", "LICENSE"}


def test_hooks_before_a_commit_are_the_linting_of_the_makefile() -> None:
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    ran = [hook["entry"].replace(" --force-exclude", "") for hook in repo["hooks"]]
    assert all(f"$(BIN)/{command} ." in MAKEFILE for command in ran) and len(ran) == 2
