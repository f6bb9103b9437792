"""Every option that more than one command has, declared once: its name, its values, its help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from srbench.cli.groups import Alias
from srbench.cli.panels import HOW, OUTPUT, WHAT, WHERE
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
    WHAT.value(
        "--track",
        "TRACK",
        "full or mini sets and models; auto: the full one if it is here, else its mini.",
    ),
]
Protocol = Annotated[str, HOW.value("--protocol", "NAME", "How metrics are computed: rsr or y.")]
Metrics = Annotated[
    str | None,
    WHAT.value("--metrics", "NAMES", "By commas.", show_default="the protocol's"),
]
Limit = Annotated[int | None, WHAT.value("--limit", "N", "Only the first N images of each set.", min=1)]
Device = Annotated[str, WHERE.value("--device", "DEVICE", "auto, cpu or cuda.")]
Workers = Annotated[
    int,
    WHERE.value("--workers", "N", "Images in work at once; 0: one per core, at most 8 (with ray: 1).", min=0),
]
STORE = "the home's"
StorePlace = Annotated[
    str | None,
    WHERE.value("--store", "DIR", "Records: a directory or an address (s3://…).", show_default=STORE),
]
StoreFolder = Annotated[
    Path | None, WHERE.value("--store", "DIR", "Directory of records.", show_default=STORE)
]
Records = Annotated[
    Path | None,
    WHERE.value(
        "--records",
        "FILE",
        "In place of a store: a records.csv that --out wrote, an entry, or a folder of entries.",
    ),
]
OnlyModels = Annotated[
    str | None, WHAT.value("--models", "NAMES", "Only these, by commas; wildcards.", show_default="all")
]
OnlyDatasets = Annotated[
    str | None, WHAT.value("--datasets", "NAMES", "Only these, by commas; wildcards.", show_default="all")
]
OnlyProtocol = Annotated[str | None, WHAT.value("--protocol", "NAME", "Only this one.", show_default="all")]
Scale = Annotated[str, WHAT.value("--scale", "N", "How many times larger SR is: 2, 3, 4 or 8.")]
OnlyScale = Annotated[
    str | None, WHAT.value("--scale", "N", "Only records of this scale.", show_default="all")
]
OneMetric = Annotated[
    str | None,
    WHAT.value("--metrics", "NAME", "One metric.", show_default="the leaderboard's"),
    Alias("--metric"),
]
OnlyAttacks = Annotated[
    str | None,
    WHAT.value(
        "--attacks", "NAMES", "Only these and the clean input, by commas; wildcards.", show_default="all"
    ),
]
OneAttack = Annotated[str, WHAT.value("--attacks", "NAME", "One attack."), Alias("--attack")]
Full = Annotated[bool, OUTPUT.flag("--full", "Print every metric, every attack and every note.")]
Json = Annotated[bool, OUTPUT.flag("--json", "Print as JSON.")]
Reported = Annotated[
    Path | None, WHERE.value("--reported", "FILE", "Published numbers to show too, as in paper.json.")
]
ExplorerImages = Annotated[
    int, OUTPUT.value("--images", "N", "Images of a data set in the page's explorer.", min=0)
]
ExplorerData = Annotated[
    str | None,
    WHERE.value(
        "--data", "NAMES", "Data sets whose LR and HR the page shows, as for evaluate: pairs:LR_DIR:HR_DIR."
    ),
]


@dataclass(frozen=True)
class RunFlags:
    """How a plan is run: what evaluate and attack have in common."""

    device: Device = "auto"
    precision: Annotated[Precision, HOW.value("--precision", "FORMAT", "Of the network: fp32 or bf16.")] = (
        Precision.fp32
    )
    tile: Annotated[
        str,
        HOW.value(
            "--tile", "SIDE", "auto: whole images where they fit in memory; whole; or the side of LR tiles."
        ),
    ] = "auto"
    halo: Annotated[
        int, HOW.value("--halo", "PIXELS", "LR pixels around a tile that it is run with.", min=0)
    ] = HALO
    memory: Annotated[
        float | None,
        WHERE.value(
            "--memory", "GIB", "What the run may take.", min=0.5, show_default="three quarters of all"
        ),
    ] = None
    workers: Workers = 0
    threads: Annotated[int, WHERE.value("--threads", "N", "Torch threads per worker.", min=1)] = 1
    channels_last: Annotated[
        bool,
        HOW.flag("--channels-last", "Another layout in memory: often faster, other last digits."),
    ] = False
    rerun: Annotated[
        Rerun, HOW.value("--rerun", "WHICH", "Cells to measure again: only-missing, always or never.")
    ] = Rerun.only_missing
    keep_images: Annotated[
        bool,
        OUTPUT.flag("--keep-images", "Keep SR and attacked LR images, for the page's explorer."),
    ] = False
    engine: Annotated[
        EngineName,
        WHERE.value(
            "--engine", "ENGINE", "local: here, a process a GPU; ray: on a Ray cluster (srbench\\[scale])."
        ),
    ] = EngineName.local
    ray_address: Annotated[
        str | None,
        WHERE.value(
            "--ray-address",
            "ADDRESS",
            "auto or HOST:PORT of a running Ray cluster.",
            show_default="one is started here",
        ),
    ] = None
    ray_workers: Annotated[
        int,
        WHERE.value("--ray-workers", "N", "0: as many as the cluster has room for.", min=0),
    ] = 0
    worker_gpus: Annotated[
        float | None,
        WHERE.value(
            "--worker-gpus",
            "N",
            "GPUs of a Ray worker; 0.5 shares one.",
            min=0,
            show_default="1 where there are any",
        ),
    ] = None
    tries: Annotated[
        int,
        WHERE.value(
            "--tries", "N", "How often an image is tried whose Ray worker or GPU process dies.", min=1
        ),
    ] = 3
    timeout: Annotated[
        float | None,
        WHERE.value(
            "--timeout",
            "SECONDS",
            "An image may take until its Ray worker or GPU process is replaced.",
            min=1,
            show_default="any time",
        ),
    ] = None
    store: StorePlace = None
    quiet: Annotated[
        bool, OUTPUT.flag("--quiet", "Nothing but results and errors: no progress, no notices.")
    ] = False

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
