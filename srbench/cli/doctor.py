"""``srbench doctor``."""

from __future__ import annotations

from srbench.cli.app import HAVE, app
from srbench.cli.console import out


@app.command(rich_help_panel=HAVE)
def doctor() -> None:
    """Say what is installed, what is missing, and how to get it."""
    import os
    import platform

    from srbench import attacks, datasets, protocols, zoo
    from srbench.metrics import installing, registry
    from srbench.run.options import default_store
    from srbench.store.provenance import commit, versions
    from srbench.support import screen
    from srbench.support.home import home, offline, weight_dirs
    from srbench.zoo.weights import missing as missing_models

    console = out()
    facts = [
        ("Python", platform.python_version()),
        *versions().items(),
        ("commit", commit() or "not a checkout"),
        ("device", _device()),
        ("cores", str(os.cpu_count())),
        ("SRBENCH_HOME", str(home())),
        ("weights from", os.pathsep.join(str(d) for d in weight_dirs())),
        ("records in", str(default_store())),
        ("network", "off (SRBENCH_OFFLINE=1)" if offline() else "on"),
        ("protocols", ", ".join(protocols.names())),
        ("attacks", ", ".join(attacks.names())),
    ]
    screen.line(console, "This machine", style="bold")
    screen.pairs(console, facts, indent=2)

    ready = [m.name for m in registry().values() if all(w.find() for w in m.weights)]
    here = [name for name in zoo.names() if zoo.status(name).installed]
    sets_known = datasets.names()
    sets = [name for name in sets_known if datasets.status(name).available]
    screen.line(console, "What is here", style="bold")
    have = [
        ("metrics", f"{len(ready)} of {len(registry())} ready: {', '.join(ready)}"),
        ("models", f"{len(here)} of {len(zoo.names())} installed: {', '.join(here)}"),
        ("data sets", f"{len(sets)} of {len(sets_known)} available: {', '.join(sets)}"),
    ]
    screen.pairs(console, have, indent=2)
    lines = [
        *((name, f"srbench metrics install {name}") for name in installing.missing()),
        *((card.name, state.how.partition("  #")[0]) for card, state in missing_models()),
        *((name, _get_set(name)) for name in sets_known if name not in sets),
    ]
    if lines:
        screen.line(console, "What is missing, and how to get it", style="bold")
        screen.pairs(console, [*lines, ("the usual ones", "srbench install recommended")], indent=2)


def _get_set(name: str) -> str:
    from srbench import datasets
    from srbench.datasets.registry import add_command

    card = datasets.manifest(name)
    return f"srbench datasets install {name}" if card.installable else add_command(card)


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda ({torch.cuda.get_device_name()})"
    return "cpu"
