"""List what srbench knows, and say what it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from srbench.support.words import listed, matches

if TYPE_CHECKING:
    Names: TypeAlias = str | Sequence[str]


def list_models(filter: Names = (), *, installed: bool = False) -> list[str]:
    """Return the names of the models of the zoo, in the order of a leaderboard.

    >>> list_models("*rsr*")
    ['rsr', 'rsr-mini']
    >>> "rsr" in list_models(installed=True)
    False

    Args:
        filter: wildcards, in a list or by commas; every model if empty.
        installed: only those whose weights are here.
    """
    from srbench import zoo

    return [name for name in _chosen(zoo.names(), filter) if not installed or zoo.status(name).installed]


def list_datasets(filter: Names = (), *, available: bool = False) -> list[str]:
    """Return the names of the data sets, published and mini ones and those registered here.

    >>> list_datasets("ntire*")
    ['ntire', 'ntire-mini', 'ntire-mini2']

    Args:
        filter: wildcards, in a list or by commas; every data set if empty.
        available: only those that can be evaluated here.
    """
    from srbench import datasets

    known = [*datasets.names(), *datasets.own_names()]
    return [name for name in _chosen(known, filter) if not available or datasets.status(name).available]


def list_attacks(filter: Names = ()) -> list[str]:
    """Return the names of the attacks: ``none``, the presets, and the natural corruptions.

    >>> list_attacks("rsr*, jpeg")
    ['rsr', 'rsr-paper', 'jpeg']

    Args:
        filter: wildcards, in a list or by commas; every attack if empty.
    """
    from srbench import attacks
    from srbench.attacks.corruptions import CORRUPTIONS

    return _chosen([*attacks.names(), *CORRUPTIONS], filter)


def list_metrics(filter: Names = (), *, ready: bool = False) -> list[str]:
    """Return the names of the metrics in the order of tables, full-reference before no-reference.

    >>> list_metrics("psnr,lpips*")
    ['psnr', 'lpips', 'lpips-lite', 'lpips-vgg']

    Args:
        filter: wildcards, in a list or by commas; every metric if empty.
        ready: only those whose weights are here.
    """
    from srbench.metrics import registry

    known = registry()
    names = _chosen(list(known), filter)
    return [name for name in names if not ready or all(weight.find() for weight in known[name].weights)]


def show_versions() -> None:
    """Print the versions of srbench, Python and every library that touches a number; for reports of bugs.

    >>> show_versions()  # doctest: +ELLIPSIS
    Python        3...
    srbench       ...
    """
    import platform

    from srbench.store.provenance import commit, versions

    rows = {"Python": platform.python_version(), **versions(), "system": platform.platform()}
    rows["commit"] = commit() or "not a checkout"
    for name, version in rows.items():
        print(f"{name:14}{version}")


def _chosen(names: Sequence[str], filter: Names) -> list[str]:
    patterns = listed(filter)
    return [name for name in names if matches(name, patterns)]
