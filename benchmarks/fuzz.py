"""Feed damaged files to everything that reads a file of unknown origin, under the fuzzer atheris.

    python benchmarks/fuzz.py --minutes 10                        # every target, the time shared
    python benchmarks/fuzz.py --minutes 5 --targets entry,image

A target may read its file or refuse it by an srbench error of one line. Findings are any other exception,
a hang of twenty seconds and memory beyond 2 GB, each kept once by where it was raised, with the
file that raised it, in ``--out``. atheris mutates valid files by what they reach in srbench's code.
Its wheels are for Linux: ``pip install 'srbench[fuzz]'``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

SUFFIX = {"csv": ".csv", "entry": ".json", "image": ".png", "recipe": ".toml", "safetensors": ".safetensors"}
SECONDS_A_FILE = 20
MEMORY_MB = 2048


def targets() -> dict[str, Callable[[Path], object]]:
    """Everything that reads a file of unknown origin, by name."""
    from srbench.boards.csv_records import read_csv
    from srbench.datasets import registry
    from srbench.datasets.decode import decode, inspect
    from srbench.entries import read as entries
    from srbench.store.folder import Store
    from srbench.support.home import home
    from srbench.train import recipe
    from srbench.zoo import resolve
    from srbench.zoo.checkpoint import read_state_dict

    def image(file: Path) -> None:
        facts = inspect(file)
        # inspect looks at PNG and JPEG without decoding, so decode may still refuse; if not, they agree.
        assert decode(file.read_bytes(), file).shape == (facts.height, facts.width, 3)

    def run(file: Path) -> object:
        (file.parent / "card.toml").write_bytes(file.read_bytes())
        return resolve([str(file.parent)])

    def registration(file: Path) -> object:
        (home() / "datasets").mkdir(parents=True, exist_ok=True)
        (home() / "datasets" / "ntire.json").write_bytes(file.read_bytes())
        return registry.open_set(registry.manifest("ntire"))

    def store(file: Path) -> object:
        return list(Store(file.parent).read(file.relative_to(file.parent)))  # type: ignore[arg-type]

    return {
        "card": run,
        "checkpoint": read_state_dict,
        "csv": read_csv,
        "entry": entries.read_entry,
        "image": image,
        "recipe": lambda file: recipe.load(str(file)),
        "registration": registration,
        "safetensors": read_state_dict,
        "store": store,
    }


def seeds(name: str) -> list[bytes]:
    """Valid files of a target, small ones, for atheris to begin with."""
    import json
    from importlib import resources

    from srbench.boards.csv_records import read_csv
    from srbench.entries.schema import digest

    boards = Path(__file__).parents[1] / "leaderboards"
    if name in ("card", "recipe"):
        folder = {"card": "srbench.zoo.cards", "recipe": "srbench.train.recipes"}[name]
        return [f.read_bytes() for f in resources.files(folder).iterdir() if f.name.endswith(".toml")]
    if name in ("csv", "store"):
        lines = (boards / "mini1" / "records.csv").read_bytes().splitlines(keepends=True)[:3]
        if name == "csv":
            return [b"".join(lines)]
        file = Path(tempfile.mkdtemp()) / "few.csv"
        file.write_bytes(b"".join(lines))
        return ["".join(f"{record.model_dump_json()}\n" for record in read_csv(file)).encode()]
    if name == "entry":
        entry = json.loads((boards / "entries" / "bicubic.json").read_text())
        entry["cells"] = [cell | {"images": cell["images"][:1]} for cell in entry["cells"][:2]]
        return [json.dumps(entry | {"digest": digest(entry)}).encode()]
    return {"image": _images, "registration": _registrations}.get(name, lambda: _checkpoints(name))()


def _images() -> list[bytes]:
    import io

    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    colour, gray = Image.fromarray(pixels), Image.fromarray(pixels[..., 0])
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = [(colour, kind) for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")]
    kinds += [(colour.convert("P"), "GIF"), (gray, "PNG"), (deep, "PNG"), (colour.convert("CMYK"), "JPEG")]
    found = []
    for image, kind in kinds:
        stream = io.BytesIO()
        image.save(stream, kind, **({"exif": exif} if kind in ("PNG", "JPEG", "TIFF", "WEBP") else {}))
        found.append(stream.getvalue())
    return found


def _registrations() -> list[bytes]:
    import numpy as np
    from PIL import Image

    from srbench.datasets import registry
    from srbench.support.home import home

    folder = Path(tempfile.mkdtemp())
    for role, side in (("lr", 4), ("hr", 16)):
        (folder / role).mkdir()
        Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(folder / role / "a.png")
    registry.add("ntire", folder / "lr", folder / "hr")
    return [(home() / "datasets" / "ntire.json").read_bytes()]


def _checkpoints(name: str) -> list[bytes]:
    import io

    import safetensors.torch
    import torch

    state = {"body.0.weight": torch.ones(2, 3, 3, 3), "body.0.bias": torch.zeros(2)}
    if name == "safetensors":
        return [safetensors.torch.save(state)]
    found = []
    for zipped in (True, False):
        stream = io.BytesIO()
        torch.save({"params": state}, stream, _use_new_zipfile_serialization=zipped)
        found.append(stream.getvalue())
    return found


def fuzz(name: str, seconds: int, out: Path) -> None:
    """Fuzz one target until the time is over; this process ends with it."""
    import atheris

    # What is imported from here on counts what it reaches, srbench's own code only.
    with atheris.instrument_imports(include=["srbench"]):
        read = targets()[name]
    from srbench.errors import SrbenchError

    corpus, work = out / "corpus" / name, Path(tempfile.mkdtemp())
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    file = work / f"file{SUFFIX.get(name, '.pth')}"

    def one(data: bytes) -> None:
        file.write_bytes(data)
        try:
            read(file)
        except SrbenchError as refusal:
            if "\n" not in str(refusal):
                return
            _keep(out, name, data, "a message of several lines", str(refusal))
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in place if "srbench" in frame.filename or "/zoo/" in frame.filename][-1]
            where = f"{type(error).__name__}-{Path(ours.filename).stem}-{ours.lineno}"
            _keep(out, name, data, where, "".join(traceback.format_exception(error)))

    limits = [f"-max_total_time={seconds}", f"-timeout={SECONDS_A_FILE}", f"-rss_limit_mb={MEMORY_MB}"]
    options = [
        *limits,
        "-max_len=65536",
        "-print_final_stats=1",
        f"-artifact_prefix={out}/{name}-",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def _keep(out: Path, name: str, data: bytes, where: str, text: str) -> None:
    finding = out / f"{name}-{re.sub('[^A-Za-z0-9.-]+', '-', where)}"
    if not finding.exists():
        finding.write_bytes(data)
        finding.with_name(f"{finding.name}.txt").write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="for all targets together")
    parser.add_argument("--targets", help="some of them, separated by commas")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="corpus and findings")
    parser.add_argument("--one", nargs=2, metavar=("TARGET", "SECONDS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        fuzz(given.one[0], int(given.one[1]), given.out)
        return
    from importlib.util import find_spec

    if find_spec("atheris") is None:
        parser.error("atheris is not installed: pip install 'srbench[fuzz]' (Linux)")
    known = list(targets())
    chosen = given.targets.split(",") if given.targets else known
    if unknown := [name for name in chosen if name not in known]:
        parser.error(f"no target {', '.join(unknown)}: there are {', '.join(known)}")
    given.out.mkdir(parents=True, exist_ok=True)
    seconds = max(1, round(60 * given.minutes / len(chosen)))
    home = tempfile.mkdtemp()
    environment = os.environ | {"SRBENCH_HOME": home, "SRBENCH_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    failed = False
    for name in chosen:
        command = [sys.executable, __file__, "--out", str(given.out), "--one", name, str(seconds)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        tried = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
        findings = sorted(p.name for p in given.out.glob(f"{name}-*") if p.suffix != ".txt")
        failed |= bool(findings) or done.returncode != 0
        ended = "" if done.returncode == 0 else f", ended with {done.returncode}: {done.stderr[-300:]}"
        print(
            f"{name}: {tried[1] if tried else '?'} files in {seconds} s, {len(findings)} findings{ended}",
            flush=True,
        )
        for finding in findings:
            print(f"  {given.out / finding}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
