"""Measure a model under the fixed protocol, or take records that are there, and make its entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.entries import standard
from srbench.entries.build import facts
from srbench.entries.schema import ENTRY_NAME
from srbench.entries.statement import Statement, Trial
from srbench.errors import BadInput
from srbench.support.scales import SCALE

if TYPE_CHECKING:
    from srbench.attacks.recipe import AttackRecipe
    from srbench.datasets.selection import Track
    from srbench.entries.schema import ModelFacts
    from srbench.run.prepared import PreparedRun
    from srbench.store.record import Record
    from srbench.zoo import ModelRef


@dataclass
class Submission:
    """Hold a checked submission; nothing has run yet."""

    model: ModelFacts
    prepared: PreparedRun
    notices: list[str] = field(default_factory=list)


def prepare_submission(
    model: str,
    statement: Statement,
    trial: Trial,
    *,
    track: Track = "auto",
    device: str = "auto",
    workers: int = 0,
    store: Path | str | None = None,
    like: Path | None = None,
) -> Submission:
    """Check model, data and metrics of a submission.

    Args:
        like: an entry whose attacks are taken exactly as they were run, so that both stand in one table.

    Raises:
        BadInput: as :func:`srbench.evaluation.prepare`; or the model is several.
        Unavailable: weights that the attacks of ``like`` need.
    """
    from srbench import evaluation, zoo
    from srbench.metrics import metric

    models = zoo.resolve([model])
    if other := [ref for ref in models if ref.card.scale != SCALE]:
        raise BadInput(
            f"{other[0].name} is an x{other[0].card.scale} model, and an entry is x{SCALE}: measure it with "
            f"srbench evaluate --scale {other[0].card.scale}"
        )
    request = evaluation.EvaluationRequest(
        models=tuple(models),  # nothing stands in for what is submitted
        datasets=standard.DATASETS,
        attacks=trial.attacks,
        protocol=standard.PROTOCOL,
        track=track,
        limit=trial.limit,
        device=device,
        precision=standard.PRECISION,
        tile=None,
        workers=workers,
        store=store,
    )
    prepared = evaluation.prepare(request)
    refs = list(dict.fromkeys(cell.model for cell in prepared.plan))
    if len(refs) != 1:
        raise BadInput(f"{model} names {len(refs)} models: an entry is about one")
    ref = _titled(refs[0], statement)
    same = attacks_of(like) if like else {}
    prepared.plan = [
        replace(cell, model=ref, attack=same.get(cell.attack.name, cell.attack)) for cell in prepared.plan
    ]
    notices = prepared.notices + [cell.attack.note for cell in prepared.plan if hasattr(cell.attack, "note")]
    notices += [
        f"the entry will be partial, {metric(m.name).title} cannot be measured ({m.reason}): "
        f"srbench metrics install {m.name}"
        for m in prepared.missing_metrics
    ]
    parameters = None if ref.outputs else sum(p.numel() for p in ref.load().parameters())
    model_facts = facts(ref.card, ref.weights_sha256, parameters=parameters, source=statement.source)
    return Submission(model_facts, prepared, list(dict.fromkeys(filter(None, notices))))


def _titled(ref: ModelRef, statement: Statement) -> ModelRef:
    card = statement.card(ref.card)
    if not ENTRY_NAME.fullmatch(card.name):
        raise BadInput(f"'{card.name}' cannot name an entry: give --name, of letters, digits and . _ + -")
    return replace(ref, name=card.name, card=card)


def attacks_of(file: Path) -> dict[str, AttackRecipe]:
    """Return the attacks of an entry, by name, with everything they need in place.

    Raises:
        BadInput: no well-formed entry, or attacks of its own.
        Unavailable: weights that they need.
    """
    from srbench.attacks.variants import variants
    from srbench.entries.read import read_entry

    _, records, problems = read_entry(file)
    if problems:
        raise BadInput(f"{file}: {problems[0]}; `srbench validate {file}` says more")
    recipes = {}
    for name, hashed in sorted({(r.attack, r.attack_hash) for r in records if r.attack_hash}):
        recipe = next((each for each in variants(name) if each.hash == hashed), None)
        if recipe is None:
            raise BadInput(
                f"{file}: its {name} is not the preset {name} of this srbench; "
                f"`srbench validate {file}` says more"
            )
        recipe.build(lambda lr: lr)
        recipes[name] = recipe
    return recipes


def from_records(model: str, statement: Statement, records: Sequence[Record]) -> ModelFacts:
    """Return the model of records that are there already: nothing is opened.

    Raises:
        BadInput: there are none of that model.
    """
    from srbench.zoo import Card
    from srbench.zoo.catalog import shipped

    own = [record for record in records if record.model == model]
    if not own:
        names = ", ".join(sorted({record.model for record in records})) or "none"
        raise BadInput(f"no records of {model}: the models with records here are {names}")
    if statement.name:
        raise BadInput("--name with --records: records keep the name they were measured under")
    card = shipped().get(model) or Card(
        name=model,
        title=own[0].model_title,
        domain=own[0].training_domain,
        architecture={},
        licence="",
        citation="",
        redistributable=False,
    )
    return facts(statement.card(card), own[0].weights_sha256, source=statement.source)
