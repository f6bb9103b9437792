"""Compare an entry with this machine: protocol, attacks, data sets, weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srbench import protocols
from srbench.entries import standard
from srbench.entries.build import facts
from srbench.entries.schema import Entry
from srbench.errors import BadInput, SrbenchError
from srbench.store.record import Record

if TYPE_CHECKING:
    from srbench.attacks.recipe import AttackRecipe
    from srbench.datasets.base import DataSet
    from srbench.zoo import ModelRef


@dataclass
class LocalFindings:
    """Hold what of an entry is on this machine.

    Attributes:
        sets: its data sets that are on this machine with the same content.
        recipes: its attacks by name, exactly as they were run.
        model: the model with the same weights; None where it is not on this machine.
        problems: violations, a line each.
        notes: what could not be checked, a line each.
    """

    sets: dict[str, DataSet] = field(default_factory=dict)
    recipes: dict[str, AttackRecipe] = field(default_factory=dict)
    model: ModelRef | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare_with_machine(entry: Entry, records: Sequence[Record], model: str | None) -> LocalFindings:
    """Compare an entry with this machine.

    Args:
        model: the model as a user names it, in place of the zoo's of the entry's name.

    Raises:
        BadInput: ``model`` cannot be used.
    """
    local = LocalFindings()
    installed = protocols.protocol(standard.PROTOCOL).hash
    if any(r.protocol == standard.PROTOCOL and r.protocol_hash != installed for r in records):
        local.problems.append(
            f"protocol {standard.PROTOCOL}: its hash is not that of this srbench's protocol "
            f"({installed[:12]}…)"
        )
    local.problems += _attacks(local, records)
    for name in sorted({record.dataset for record in records if standard.stands_for(record.dataset)}):
        local.problems += _data(local, name, [record for record in records if record.dataset == name])
    local.problems += _weights(local, entry, records, model)
    return local


def _attacks(local: LocalFindings, records: Sequence[Record]) -> Iterator[str]:
    """Yield attacks that their preset cannot stand for."""
    from srbench.attacks.variants import is_former, variants

    for attack in standard.ATTACKS[1:]:
        hashes = {record.attack_hash for record in records if record.attack == attack}
        known = {recipe.hash: recipe for recipe in (variants(attack) if hashes else [])}
        for digest in sorted(hashes):
            if digest in known:
                local.recipes[attack] = known[digest]
                continue
            settings = next(r.attack_settings for r in records if r.attack_hash == digest) or {}
            if is_former(attack, settings, digest):
                local.notes.append(f"{attack}: of a former edition of its attacks, which runs no more")
            else:
                eps, preset_eps = settings.get("eps"), next(iter(known.values())).eps
                other = f": eps is {eps}, of the preset {preset_eps}" if eps != preset_eps else ""
                yield f"{attack}: this is not the preset {attack}, its settings are others{other}"


def _data(local: LocalFindings, name: str, records: Sequence[Record]) -> Iterator[str]:
    """Yield what content, ids, sizes and domain have that the local set has not."""
    from srbench import datasets

    try:
        (data,), _ = datasets.resolve([name], track="auto" if datasets.manifest(name).is_mini else "full")
    except SrbenchError as error:
        local.notes.append(f"data of {name} not checked: {error}")
        return
    first = records[0]
    if first.dataset_hash != data.content_hash:
        yield (
            f"{name}: its data hash {first.dataset_hash[:12]}… is not that of the set here "
            f"({data.content_hash[:12]}…)"
        )
        return
    local.sets[name] = data
    recorded = first.dataset_images, first.dataset_domain, first.dataset_kind
    if recorded != (len(data), data.domain, data.kind):
        local_set = f"{data.kind}, {len(data)} images, domain {data.domain}"
        yield f"{name}: number of images, domain or kind are not those of the set here ({local_set})"
    for image in sorted({record.image for record in records}):
        if image not in data.ids:
            yield f"{name}: there is no image {image[:60]!r} in this set"
    for record in records:
        if record.image in data.ids and record.lr_size != data.lr_size(record.image):
            yield f"{name}/{record.image}: LR of {record.lr_size}, in the set {data.lr_size(record.image)}"


def _weights(
    local: LocalFindings, entry: Entry, records: Sequence[Record], model: str | None
) -> Iterator[str]:
    """Yield how weights differ from the local model's, and the card from the zoo's where it has one."""
    from srbench import zoo
    from srbench.zoo import catalog

    card = catalog.shipped().get(entry.model.name)
    sha256 = entry.model.weights_sha256
    if card is not None:
        # A number counted where the card has none cannot be looked up there.
        expected = facts(card, sha256, parameters=entry.model.parameters)
        # What an entry made by an earlier version does not say is no difference.
        said = entry.model.model_fields_set
        if differing := [k for k in said if getattr(expected, k) != getattr(entry.model, k)]:
            yield f"model: {', '.join(sorted(differing))} differ from the card of {card.name} in the zoo"
        published = [digest for digest in (card.packaged, *(s.sha256 for s in card.sources)) if digest]
        known = all(source.sha256 for source in card.sources)
        if known and not any(sha256.startswith(digest) for digest in published or [""]):
            yield f"weights_sha256: {sha256[:12] or 'empty'} is not that of the published {card.name}"
            return
        if not card.sources and not card.packaged and sha256:
            yield f"weights_sha256: {card.name} has no weights"
            return
    elsewhere = any(record.made_elsewhere for record in records)
    if model is None and elsewhere:
        local.notes.append(
            f"{entry.model.name} is SR images made elsewhere: what they were made of and by cannot be "
            "checked; whoever has them gives --model outputs:DIR, and they are measured again"
        )
        return
    if model is None and card is None:
        local.notes.append(f"weights not checked: {entry.model.name} is not of the zoo; give --model FILE")
        return
    try:
        refs = zoo.resolve([model or entry.model.name])
    except BadInput as error:
        if model is not None:
            raise
        local.notes.append(f"weights not checked: {error}")
        return
    if len(refs) != 1:
        raise BadInput(f"--model {model} names {len(refs)} models: name one")
    if refs[0].weights_sha256 != sha256:
        there, of = refs[0].weights_sha256[:12] or "empty", model or entry.model.name
        yield f"weights_sha256: {sha256[:12] or 'empty'} in the entry, {there} of {of} here"
        return
    if refs[0].outputs is not None:
        local.notes += refs[0].outputs.check(list(local.sets.values()))
    local.model = refs[0]
