"""Compose the command that measures a record again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from srbench.store.record import Record
from srbench.support.scales import SCALE

# ``rsr@8(steps=10) from esrgan``: preset, radius, changed settings, the model the noise was made on.
_ATTACK = re.compile(
    r"(?P<preset>[\w-]+)(@(?P<eps>[^( ]+))?(\((?P<changes>[^)]*)\))?( from (?P<source>\S+))?"
)
_OPTIONS = {"objective": "loss"} | {
    name: name for name in ("norm", "steps", "alpha", "structure", "restarts", "samples")
}


@dataclass
class Command:
    """Hold a command line, and what a reader has to put in or know.

    Attributes:
        text: the command; empty where no command line has these settings.
        remarks: one line each.
    """

    text: str
    remarks: list[str] = field(default_factory=list)


def reproducing_command(records: Sequence[Record]) -> Command:
    """Return the command that measures the records of one cell again.

    Args:
        records: of one model, data set, attack and protocol; at least one.
    """
    first = records[0]
    remarks: list[str] = []
    model, dataset = _model(first, remarks), _dataset(first, remarks)
    shared = {"precision": first.precision} if first.precision != "fp32" else {}
    if first.tile:
        shared |= {"tile": str(first.tile), "halo": str(first.halo or 16)}
    if first.scale != SCALE:
        shared["scale"] = str(first.scale)
    if len(records) < first.dataset_images:
        shared["limit"] = str(len(records))
    if not first.attack_hash or (parts := attack_parts(first.attack)) is None:
        options = {"models": model, "datasets": dataset}
        if first.attack_hash:
            options["attacks"] = first.attack
        if first.protocol != "rsr":
            options["protocol"] = first.protocol
        return Command(command_line("evaluate", [], options | _metrics(records) | shared), remarks)
    changes = dict(pair.split("=", 1) for pair in parts["changes"].split(",")) if parts["changes"] else {}
    unknown = [name for name in changes if name not in _OPTIONS] + [n for n in shared if n == "precision"]
    if unknown:
        lacking = (
            f"no command line sets {', '.join(unknown)} of {first.attack}: see srbench.attacks in Python"
        )
        return Command("", [lacking])
    options = {"preset": parts["preset"]} | ({"eps": parts["eps"]} if parts["eps"] else {})
    options |= {_OPTIONS[name]: value for name, value in changes.items()}
    if parts["source"]:
        options["transfer-to"] = model
    return Command(
        command_line("attack", [parts["source"] or model], options | {"dataset": dataset} | shared), remarks
    )


def attack_parts(attack: str) -> dict[str, str] | None:
    """Return the parts of an attack that ``srbench evaluate`` has no name for; None where it has one."""
    match = _ATTACK.fullmatch(attack)
    if match is None or not (match["changes"] or match["source"]):
        return None
    return {name: value or "" for name, value in match.groupdict().items()}


def _model(record: Record, remarks: list[str]) -> str:
    from srbench.zoo import catalog

    if record.model in catalog.shipped():
        return record.model
    if record.made_elsewhere:
        made = f"SR images made elsewhere, with sha256 {record.weights_sha256} over names and bytes"
        remarks.append(f"DIR: {record.model}, {made}; no network is known that makes them again")
        return f"{record.model}=outputs:DIR"
    remarks.append(f"MODEL: {record.model}, the file with sha256 {record.weights_sha256}")
    return "MODEL"


def _dataset(record: Record, remarks: list[str]) -> str:
    from srbench.datasets.manifests import names

    if record.dataset in names():
        return record.dataset
    remarks.append(f"LR_DIR, HR_DIR: {record.dataset}, the images with content hash {record.dataset_hash}")
    return "pairs:LR_DIR:HR_DIR" if record.dataset_kind == "paired" else "folder:LR_DIR"


def _metrics(records: Sequence[Record]) -> dict[str, str]:
    """Name the metrics where they are not what the protocol measures anyway."""
    from srbench import protocols
    from srbench.metrics import registry

    measured = {name for record in records for name in (*record.metrics, *record.notes)}
    recorded = [name for name in registry() if name in measured]
    kinds = ("FR", "NR") if records[0].dataset_kind == "paired" else ("NR",)
    default = [n for n in protocols.protocol(records[0].protocol).default if registry()[n].kind in kinds]
    return {} if set(recorded) == set(default) else {"metrics": ",".join(recorded)}


def command_line(verb: str, arguments: list[str], options: dict[str, str]) -> str:
    """Return a command of srbench as a shell takes it; an option without a value is a flag."""
    words = ["srbench", verb, *arguments]
    for name, value in options.items():
        words += [f"--{name}", value] if value else [f"--{name}"]
    return shlex.join(words)
