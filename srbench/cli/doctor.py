"""``srbench doctor``."""

from __future__ import annotations

from srbench.cli.app import app
from srbench.cli.console import out


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing, and how to get it."""
    import os
    import platform

    from rich.table import Table

    from srbench import attacks, datasets, protocols, zoo
    from srbench.metrics import installing, registry
    from srbench.run.options import default_store
    from srbench.store.provenance import commit, versions
    from srbench.support.home import home, offline, weight_dirs
    from srbench.zoo.weights import missing as missing_models

    screen = out()
    facts = Table(title="This machine", title_justify="left", show_header=False)
    facts.add_row("Python", platform.python_version())
    for name, version in versions().items():
        facts.add_row(name, version)
    facts.add_row("commit", commit() or "not a checkout")
    facts.add_row("device", _device())
    facts.add_row("cores", str(os.cpu_count()))
    facts.add_row("SRBENCH_HOME", str(home()))
    facts.add_row("weights from", os.pathsep.join(str(d) for d in weight_dirs()))
    facts.add_row("records in", str(default_store()))
    facts.add_row("network", "off (SRBENCH_OFFLINE=1)" if offline() else "on")
    facts.add_row("protocols", ", ".join(protocols.names()))
    facts.add_row("attacks", ", ".join(attacks.names()))
    screen.print(facts)

    ready = [m.name for m in registry().values() if all(w.find() for w in m.weights)]
    screen.print(
        f"Metrics: {len(ready)} of {len(registry())} ready ({', '.join(ready)}); see `srbench metrics`"
    )
    here = [name for name in zoo.names() if zoo.status(name).installed]
    screen.print(
        f"Models: {len(here)} of {len(zoo.names())} installed ({', '.join(here)}); see `srbench models`"
    )
    sets_known = datasets.names()
    sets = [name for name in sets_known if datasets.status(name).available]
    listed = ", ".join(sets)
    screen.print(f"Data sets: {len(sets)} of {len(sets_known)} available ({listed}); see `srbench datasets`")
    lines = [
        *((name, f"srbench metrics install {name}") for name in installing.missing()),
        *((card.name, state.how.partition("  #")[0]) for card, state in missing_models()),
        *((name, _get_set(name)) for name in sets_known if name not in sets),
    ]
    if not lines:
        return
    screen.print(
        "\nMissing, each with the command that gets it (`srbench install recommended`: the usual ones)"
    )
    width = max(len(name) for name, _ in lines)
    for name, command in lines:
        screen.print(f"  {name:{width}}  {command}", highlight=False, soft_wrap=True, markup=False)


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
