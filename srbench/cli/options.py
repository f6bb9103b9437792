"""Every option that more than one command has, declared once: its name, its values, its help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from srbench.errors import BadInput
from srbench.run.options import HALO, parse_tile


class Track(StrEnum):
    """Full data sets or the built-in mini ones."""

    auto = "auto"
    full = "full"
    mini = "mini"


class Precision(StrEnum):
    """Number formats a network runs in."""

    fp32 = "fp32"
    bf16 = "bf16"


class EngineName(StrEnum):
    """What runs a plan."""

    local = "local"
    ray = "ray"


class Rerun(StrEnum):
    """What is measured again."""

    only_missing = "only-missing"
    always = "always"
    never = "never"


TrackOption = Annotated[
    Track,
    typer.Option("--track", help="auto: the full set or model where it is here, else the built-in mini one."),
]
Protocol = Annotated[str, typer.Option("--protocol", help="How metrics are computed: rsr or y.")]
Metrics = Annotated[
    str | None,
    typer.Option("--metrics", help="Metrics instead of the protocol's defaults, separated by commas."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images of each set.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", min=0, help="Images in work at once; 0: one per core, at most 8 (with ray: 1)."
    ),
]
StorePlace = Annotated[
    str | None, typer.Option("--store", help="Directory of records, or an address (s3://…).")
]
StoreFolder = Annotated[Path | None, typer.Option("--store", help="Directory of records.")]
Records = Annotated[
    Path | None, typer.Option("--records", help="A records.csv that --out wrote, in place of a store.")
]
OnlyModels = Annotated[str | None, typer.Option("--models", help="Only these models (wildcards allowed).")]
OnlyDatasets = Annotated[
    str | None, typer.Option("--datasets", help="Only these data sets (wildcards allowed).")
]
OnlyProtocol = Annotated[str | None, typer.Option("--protocol", help="Only this protocol.")]
Scale = Annotated[str, typer.Option("--scale", help="How many times larger SR is: 2, 3, 4 or 8.")]
OnlyScale = Annotated[str | None, typer.Option("--scale", help="Only records of this scale.")]
Full = Annotated[bool, typer.Option("--full", help="Print every metric, every attack and every note.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Reported = Annotated[Path | None, typer.Option("--reported", help="Published numbers, as in paper.json.")]
ExplorerImages = Annotated[
    int, typer.Option("--images", min=0, help="Images of a data set in the page's explorer.")
]
ExplorerData = Annotated[
    str | None,
    typer.Option(
        "--data", help="Data sets whose LR and HR the page shows, as for evaluate: pairs:LR_DIR:HR_DIR."
    ),
]


@dataclass(frozen=True)
class RunFlags:
    """How a plan is run: what evaluate and attack have in common."""

    device: Device = "auto"
    precision: Annotated[Precision, typer.Option("--precision", help="Precision of the network.")] = (
        Precision.fp32
    )
    tile: Annotated[
        str,
        typer.Option(
            "--tile", help="auto: whole images where they fit in memory; whole; or the side of LR tiles."
        ),
    ] = "auto"
    halo: Annotated[
        int, typer.Option("--halo", min=0, help="LR pixels around a tile that it is run with.")
    ] = HALO
    memory: Annotated[
        float | None,
        typer.Option("--memory", min=0.5, help="GiB the run may take; default: three quarters of all."),
    ] = None
    workers: Workers = 0
    threads: Annotated[int, typer.Option("--threads", min=1, help="Torch threads per worker.")] = 1
    channels_last: Annotated[
        bool,
        typer.Option("--channels-last", help="Another layout in memory: often faster, other last digits."),
    ] = False
    rerun: Annotated[Rerun, typer.Option("--rerun", help="What to measure again.")] = Rerun.only_missing
    keep_images: Annotated[
        bool,
        typer.Option("--keep-images", help="Keep SR and attacked LR images, for the page's explorer."),
    ] = False
    engine: Annotated[
        EngineName,
        typer.Option(
            "--engine", help="local: here, a process a GPU; ray: on a Ray cluster (srbench\\[scale])."
        ),
    ] = EngineName.local
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address", help="auto or HOST:PORT of a running Ray cluster; else one is started here."
        ),
    ] = None
    ray_workers: Annotated[
        int,
        typer.Option("--ray-workers", min=0, help="Ray workers; 0: as many as the cluster has room for."),
    ] = 0
    worker_gpus: Annotated[
        float | None,
        typer.Option(
            "--worker-gpus",
            min=0,
            help="GPUs of a Ray worker, 0.5 shares one; default: 1 where there are any.",
        ),
    ] = None
    tries: Annotated[
        int,
        typer.Option(
            "--tries", min=1, help="How often an image is tried whose Ray worker or GPU process dies."
        ),
    ] = 3
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            min=1,
            help="Seconds an image may take until its Ray worker or GPU process is replaced.",
        ),
    ] = None
    store: StorePlace = None

    def options(self) -> dict[str, Any]:
        """Return the fields of :class:`srbench.run.options.RunOptions`.

        Raises:
            BadInput: options that do not fit together.
        """
        from srbench.run.placement import Placement, Resources

        if self.device not in ("auto", "cpu") and not self.device.startswith("cuda"):
            raise BadInput(f"--device {self.device}: use auto, cpu or cuda")
        on_ray = self.engine is EngineName.ray
        if not on_ray and (self.ray_address or self.ray_workers or self.worker_gpus is not None):
            raise BadInput("--ray-address, --ray-workers and --worker-gpus belong to --engine ray: add it")
        placement = Placement(
            engine=self.engine.value,
            several_gpus=True,
            resources=Resources(self.ray_address, self.ray_workers, self.worker_gpus, self.device),
            tries=self.tries,
            timeout=self.timeout,
        )
        same = ("device", "halo", "memory", "workers", "threads", "channels_last", "keep_images", "store")
        return {name: getattr(self, name) for name in same} | {
            "precision": self.precision.value,
            "tile": parse_tile(self.tile),
            "rerun": self.rerun.value,
            "placement": placement,
        }
