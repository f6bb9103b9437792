"""Records that the tests of the page share: three models, two sets, attacks, corruptions, pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from helpers import record, write_pairs

from srbench import datasets
from srbench.boards.site.build import build_page, read_store
from srbench.store import pictures as kept
from srbench.store.record import Record

MODELS = (("bicubic", "none"), ("clean-net", "clean"), ("blind-net", "blind"))
LEVELS = {"psnr": 25.0, "ssim": 0.7, "lpips": 0.3}


def settings(name: str, eps: float) -> dict[str, Any]:
    """What a record says of an attack of this radius, in levels of 255."""
    kind = {"random": "RandomNoise", "rsr": "StructuredPGD"}[name]
    return {"version": 1, "kind": kind, "eps": eps / 255, "note": "", "seed": 0, "name": name}


def attacks() -> dict[str, dict[str, Any] | None]:
    """By name, the settings: clean, two attacks at two radii, a corruption at two severities."""
    found: dict[str, dict[str, Any] | None] = {"none": None}
    for name in ("random", "rsr"):
        found[f"{name}@4"] = settings(name, 4)
        found[name] = settings(name, 14)
    for severity in (1, 2):
        found[f"jpeg:{severity}"] = {"kind": "Corruption", "corruption": "jpeg", "severity": severity}
    return found


def synthetic(
    sets: list[tuple[str, str, str]], images: list[str], models: int = 3, seed: int = 0, clean: bool = False
) -> Iterator[Record]:
    """Records with seeded noise in every metric.

    Args:
        sets: name, domain and content hash of each data set.
        images: ids, the same in every set.
        clean: without attacks.
    """
    generator = np.random.default_rng(seed)
    for number in range(models):
        model, trained = MODELS[number] if number < len(MODELS) else (f"net-{number:02}", "ntire")
        for place, (name, domain, digest) in enumerate(sets):
            for attack, spec in attacks().items() if not clean else [("none", None)]:
                damage = 0.01 * spec.get("eps", 0) * 255 if spec else 0.0
                noise = generator.normal(0, 0.02, (len(images), len(LEVELS)))
                for image, row in zip(images, noise, strict=True):
                    psnr, ssim, lpips = row
                    yield record(
                        model=model,
                        model_title=model.replace("-", " ").title(),
                        training_domain=trained,
                        weights_sha256="" if model == "bicubic" else f"{number:064x}",
                        dataset=name,
                        dataset_domain=domain,
                        dataset_hash=digest,
                        dataset_images=len(images),
                        image=image,
                        attack=attack,
                        attack_hash="" if spec is None else f"{attack}-hash",
                        attack_settings=spec,
                        effect={} if spec is None else {"lr_psnr": 30.0, "sr_psnr": 25.0, "lr_max": 14.0},
                        flags={"inside the ball": "1 value"} if attack == "rsr" and number == 1 else {},
                        metrics={
                            "psnr": LEVELS["psnr"] + number - 10 * damage + 10 * psnr,
                            "ssim": LEVELS["ssim"] + ssim,
                            "lpips": LEVELS["lpips"] - 0.05 * number + 0.1 * place + damage + lpips,
                        },
                    )


def cell_of(found: Record) -> PurePosixPath:
    """A path as a store has it; the digest is no real one."""
    attack = found.attack.replace(":", "-").replace("@", "-")
    dataset, model = (re.sub(r"\W", "_", name) for name in (found.dataset, found.model))
    return PurePosixPath(found.protocol, dataset, attack, f"{model}-000000000000.jsonl")


def write_store(root: Path, records: list[Record]) -> None:
    """The records as a store on disk."""
    cells: dict[PurePosixPath, list[str]] = {}
    for found in records:
        cells.setdefault(cell_of(found), []).append(found.model_dump_json())
    for cell, lines in cells.items():
        (root / cell).parent.mkdir(parents=True, exist_ok=True)
        (root / cell).write_text("\n".join(lines) + "\n", encoding="utf-8")


def store_with_pictures(
    folder: Path, change: Callable[[Record], Record] = lambda found: found
) -> tuple[Path, str]:
    """A store of :func:`synthetic` records with pictures of one set, and that set's spec.

    Args:
        change: what is done to every record first.
    """
    lr_dir, hr_dir = write_pairs(folder, 3, side=80)
    spec = f"pairs:{lr_dir}:{hr_dir}"
    (pairs,), _ = datasets.resolve([spec])
    sets = [(pairs.name, "clean", pairs.content_hash), ("other", "ntire", "e" * 64)]
    records = [change(found) for found in synthetic(sets, list(pairs.ids))]
    root = folder / "store"
    write_store(root, records)
    generator = torch.Generator().manual_seed(0)
    for found in records:
        if found.dataset == pairs.name and found.attack in ("none", "rsr"):
            sr = torch.rand(1, 3, 320, 320, generator=generator)
            lr = torch.rand(1, 3, 80, 80, generator=generator) if found.attack == "rsr" else None
            kept.save(root, cell_of(found), found.image, sr, lr)
    return root, spec


def make_small_page(folder: Path) -> Path:
    """A page of three models on two sets, attacked and corrupted, with pictures of one set."""
    store, spec = store_with_pictures(folder)
    records, pictures = read_store(store)
    build_page(folder / "page", records, pictures=pictures, data=[spec])
    return folder / "page"
