"""``srbench datasets``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from srbench.cli.app import HAVE, app
from srbench.cli.console import err, out, say
from srbench.cli.groups import Alias, expand_options
from srbench.cli.options import Json, Scale
from srbench.cli.panels import HOW, OUTPUT, WHAT, WHERE
from srbench.support.scales import SCALE

if TYPE_CHECKING:
    from srbench.datasets import SetStatus
    from srbench.datasets.base import SetDomain


class Domain(StrEnum):
    """The degradations of :data:`srbench.datasets.base.SetDomain`."""

    CLEAN = "clean"
    NTIRE = "ntire"
    AIM = "aim"
    DPED = "dped"
    FACES = "faces"
    BLIND = "blind"
    UNKNOWN = "unknown"


datasets_app = typer.Typer(
    help="List data sets, install, register and verify them.", invoke_without_command=True
)
app.add_typer(datasets_app, name="datasets", rich_help_panel=HAVE)


@datasets_app.callback()
def datasets(
    context: typer.Context,
    scale: Scale = "4",
    as_json: Json = False,
) -> None:
    """List every data set and whether a copy is registered."""
    if context.invoked_subcommand is not None:
        return
    from srbench import datasets as sets
    from srbench.datasets.registry import how_to_get
    from srbench.support.scales import checked_scale

    at = checked_scale(scale)
    rows = [(sets.manifest(name, at), sets.status(name, at)) for name in (*sets.names(), *sets.own_names(at))]
    if as_json:
        import json

        listed = [
            manifest.model_dump(mode="json")
            | {"available": s.available, "here": s.images, "content_hash": s.content_hash, "how": s.how}
            for manifest, s in rows
        ]
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    from srbench.support import screen
    from srbench.support.screen import states_column, words_column

    cards = [manifest for manifest, _ in rows]
    counts = [str(status.images or card.images or "–") for card, status in rows]
    states = ["available" if status.available else "not registered" for _, status in rows]
    columns = [
        words_column("Name", [card.name for card in cards]),
        words_column("Title", [card.title_at(at) for card in cards], gives_way=2, wraps=24),
        words_column("Degradation", [card.degradation for card in cards], gives_way=1),
        words_column("Kind", [card.kind for card in cards], gives_way=3),
        screen.Column("Images", [screen.plain(count) for count in counts], right=True, gives_way=1),
        words_column("Content", [(status.content_hash or "")[:8] for _, status in rows], gives_way=4),
        states_column("Status", states, lambda state: "green" if state == "available" else ""),
    ]
    console = out()
    gone = screen.show(console, columns)
    console.print()
    absent = [(card.name, how_to_get(card, at)) for card, status in rows if not status.available]
    screen.pairs(console, absent)
    if gone:
        screen.line(console, f"No room for: {', '.join(gone)} (--json prints all).")


@datasets_app.command()
@expand_options
def install(
    name: Annotated[str, typer.Argument(help="A data set from `srbench datasets`.")],
    given: Annotated[
        list[Path] | None, WHERE.value("--from", "FILE", "An archive fetched by hand; may be repeated.")
    ] = None,
    to: Annotated[
        Path | None,
        OUTPUT.value("--out", "DIR", "Where to unpack.", show_default="the home"),
        Alias("--to"),
    ] = None,
    training: Annotated[
        bool, WHAT.flag("--training", "Install the images the set publishes to train on.")
    ] = False,
) -> None:
    """Download the published archives, check and unpack them, and register the set."""
    from srbench.datasets.downloads import install_set, install_training

    if training:
        folder = install_training(name, archives=given or [], to=to, say=typer.echo)
        typer.echo(f"training images are in {folder}: `srbench train rsr --data {folder}`")
        return
    _registered(name, install_set(name, archives=given or [], to=to, say=typer.echo))


@datasets_app.command()
@expand_options
def build(
    kind: Annotated[
        str,
        typer.Argument(
            help="How photographs are degraded: ntire-like, aim-like, clean, blind, blind-bsrgan; or faces.",
        ),
    ],
    hr: Annotated[Path | None, WHAT.value("--hr", "DIR", "Directory of the photographs to degrade.")] = None,
    name: Annotated[
        str,
        OUTPUT.value(
            "--name", "NAME", "What the set is called.", show_default="after KIND and the directory"
        ),
    ] = "",
    to: Annotated[
        Path | None,
        OUTPUT.value("--out", "DIR", "The folder to make.", show_default="in the home"),
        Alias("--to"),
    ] = None,
    annotations: Annotated[
        Path | None, WHAT.value("--annotations", "FILE", "faces: wider_face_train_bbx_gt.txt.")
    ] = None,
    images: Annotated[Path | None, WHAT.value("--images", "DIR", "faces: WIDER_train/images.")] = None,
    seed: Annotated[int, HOW.value("--seed", "N", "faces: another seed draws other faces.", min=0)] = 0,
    scale: Scale = "4",
) -> None:
    """Make a set of photographs by degrading them, or draw faces from WIDER FACE, and register it.

    LR is made of HR at a quarter of its size, or as --scale says, always the same for the same name of a
    file: ntire-like has the noise of NTIRE 2020, aim-like blur, noise and JPEG in the manner of AIM 2019,
    clean is bicubic alone, blind is the degradation of Real-ESRGAN.
    """
    from srbench.errors import BadInput

    if kind == "faces":
        from srbench.datasets.faces import build_faces

        if hr or name:
            raise BadInput("faces are drawn from WIDER FACE: --hr and --name are for photographs to degrade")
        if annotations is None or images is None:
            raise BadInput(
                "faces need --annotations wider_face_train_bbx_gt.txt and --images WIDER_train/images"
            )
        with err().status("cropping faces"):
            status = build_faces(annotations, images, to=to, seed=seed)
        _registered(kind, status)
        return
    from srbench.datasets.build import build_set
    from srbench.datasets.degradations import titles
    from srbench.datasets.listing import notices
    from srbench.support.scales import checked_scale

    if kind not in titles():
        raise BadInput(f"'{kind}' is nothing srbench builds: choose one of {', '.join(titles())} or faces")
    if annotations or images or seed:
        raise BadInput(f"--annotations, --images and --seed are for faces: {kind} takes --hr DIR")
    if hr is None:
        raise BadInput(f"{kind} is made of photographs: give --hr DIR")
    at = checked_scale(scale)
    with err().status("degrading photographs"):
        name, status = build_set(kind, hr, name=name, to=to, scale=at)
    _registered(name, status, at)
    say(notices(hr))


@datasets_app.command()
@expand_options
def add(
    name: Annotated[
        str, typer.Argument(help="A data set from `srbench datasets`, or a new name for images of your own.")
    ],
    lr: Annotated[Path, WHAT.value("--lr", "DIR", "Directory of LR images.")],
    hr: Annotated[Path | None, WHAT.value("--hr", "DIR", "Directory of HR images, for paired sets.")] = None,
    domain: Annotated[
        Domain | None,
        HOW.value(
            "--domain",
            "DOMAIN",
            "Degradation of a set of your own: clean, ntire, aim, dped, faces, blind or unknown.",
            show_default="unknown",
        ),
    ] = None,
    pair_by: Annotated[
        str | None,
        HOW.value(
            "--pair-by",
            "PATTERN",
            "Regular expression with one group: what the names of an LR and its HR share.",
        ),
    ] = None,
    scale: Scale = "4",
) -> None:
    """Check a local copy, register it and record a hash of its content."""
    from srbench import datasets as sets
    from srbench.support.scales import checked_scale

    at = checked_scale(scale)
    with err().status(f"checking {name}"):
        chosen = cast("SetDomain | None", domain and domain.value)
        status = sets.add(name, lr, hr, domain=chosen, pair_by=pair_by, scale=at)
    _registered(name, status, at)


@datasets_app.command()
@expand_options
def remove(name: Annotated[str, typer.Argument(help="A registered data set.")], scale: Scale = "4") -> None:
    """Forget a registered copy; its images stay where they are."""
    from srbench import datasets as sets
    from srbench.support.scales import checked_scale

    sets.remove(name, checked_scale(scale))
    typer.echo(f"{name} is no longer registered; its images are where they were")


@datasets_app.command()
@expand_options
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets; all registered ones if none is named.")
    ] = None,
    scale: Scale = "4",
) -> None:
    """Check that registered copies still have the content they were registered with."""
    from srbench import datasets as sets
    from srbench.errors import BadInput
    from srbench.support.scales import checked_scale

    at = checked_scale(scale)
    known = (*sets.names(), *sets.own_names(at))
    chosen = names or [name for name in known if sets.status(name, at).available]
    failures = []
    for name in chosen:
        try:
            status = sets.verify(name, at)
            typer.echo(f"{name}: {status.images} images, content {status.content_hash}: as registered")
        except BadInput as error:
            failures.append(str(error))
    if failures:
        raise BadInput("; ".join(failures))


def _registered(name: str, status: SetStatus, scale: int = SCALE) -> None:
    from srbench import datasets as sets
    from srbench.datasets.listing import notices

    at = f" at x{scale}" if scale != SCALE else ""
    typer.echo(f"{name} is registered{at}: {status.images} images, content {status.content_hash}")
    if name in sets.own_names(scale):  # or a published name that was misspelt
        how = sets.manifest(name, scale).degradation
        command = f"srbench evaluate --datasets {name}" + (f" --scale {scale}" if at else "")
        typer.echo(f"it is a set of your own (degradation: {how}): `{command}`")
    if status.note:
        typer.echo(status.note)
    say(notices(status.lr, status.hr))
