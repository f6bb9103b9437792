"""Take models as Python code has them: names, files, networks, functions, and lists and dicts of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from typing import TypeAlias, cast

from torch import nn

from srbench.errors import BadInput
from srbench.zoo.catalog import own_card
from srbench.zoo.options import apart
from srbench.zoo.refs import ModelRef, from_factory, resolve_each, told_apart

Model: TypeAlias = str | PathLike[str] | ModelRef | nn.Module | Callable[[], nn.Module]
Models: TypeAlias = Model | Sequence[Model] | Mapping[str, Model]


def from_python(models: Models, scale: int | None = None) -> dict[str, tuple[ModelRef, bool]]:
    """Return the models that Python code names or holds.

    Args:
        models: one model, a list of them (or a text that names them by commas, as on the command line), or
            a dict from the name a model shall have to the model. A
            function makes the network when it is called without arguments; a network or function in a
            list goes by the name of its class or its own.
        scale: see :func:`srbench.zoo.resolve`.

    Returns:
        By name, in order and each once: the model, and whether it is an object of this process, with
        neither a name of the zoo nor a file.

    Raises:
        BadInput: what :func:`srbench.zoo.resolve` refuses, a bad name, two different models of one name,
            or no model at all.

    >>> from torch import nn
    >>> list(from_python({"nearest": nn.Upsample(scale_factor=4), "bicubic": "bicubic"}))
    ['nearest', 'bicubic']
    """
    wanted: Iterable[tuple[str | None, Model]]
    if isinstance(models, Mapping):
        wanted = models.items()
    elif isinstance(models, str):
        wanted = [(None, model) for model in apart(models) or [models]]
    elif isinstance(models, list | tuple):
        wanted = [(None, model) for model in models]
    else:
        wanted = [(None, cast("Model", models))]
    found = [
        (ref, in_memory, model) for name, model in wanted for ref, in_memory in _resolved(name, model, scale)
    ]
    shown = told_apart([ref for ref, _, _ in found])
    refs: dict[str, tuple[ModelRef, bool]] = {}
    objects: dict[str, Model] = {}
    for ref, (_, in_memory, model) in zip(shown, found, strict=True):
        first, first_in_memory = refs.setdefault(ref.name, (ref, in_memory))
        # Equal weights do not make two networks equal: the code that uses them may differ.
        same_object = objects.setdefault(ref.name, model) is model or not (in_memory or first_in_memory)
        if first.weights_sha256 != ref.weights_sha256 or not same_object:
            raise BadInput(
                f"two different models would be called '{ref.name}': give a dict from name to model"
            )
    if not refs:
        raise BadInput("no model to evaluate: name at least one")
    return refs


def _resolved(name: str | None, model: Model, scale: int | None) -> list[tuple[ModelRef, bool]]:
    if callable(model):  # an nn.Module is callable too
        own_name = name if name is not None else str(getattr(model, "__name__", type(model).__name__))
        factory = (lambda: model) if isinstance(model, nn.Module) else model
        return [
            (ref, True)
            for ref in resolve_each([from_factory(own_name, own_name, own_card(own_name), factory)], scale)
        ]
    if not isinstance(model, str | PathLike | ModelRef):
        raise BadInput(f"{type(model).__name__} is no model: give a name, a file, an nn.Module or a function")
    refs = resolve_each([model if isinstance(model, ModelRef) else fspath(model)], scale)
    if name is not None and [ref.name for ref in refs] != [name]:
        if len(refs) != 1:
            raise BadInput(f"'{name}' would be {len(refs)} models at once ({model}): name them one by one")
        own_card(name)  # refuses what cannot name a model
        title = refs[0].card.title
        own_title = title if refs[0].source and title != refs[0].name else ""
        refs = [refs[0].renamed(name, own_title)]
    return [(ref, False) for ref in refs]
