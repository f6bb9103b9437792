"""Do to srbench what happens to long runs: is anything lost, repeated, half-written or different afterwards?

    python benchmarks/faults                 # 100 kills and ten of each other fault, some minutes
    python benchmarks/faults --kills 6 --others 1

`evaluate`, `attack` and `train` run on tiny data as processes of their own. Each is killed (SIGKILL) at
random moments, most of them just after it wrote something; its disk is filled; its folder is made read-only;
its files end in half a record; four work on one store at once. The same command goes on after each, and in
the end everything below its folder has to equal that of a quiet run (records, leaderboards, pictures, weights
bit by bit; apart from times), with no file too much. Every failure on the way has to be one clear line and
the right exit code. The full disk and the read-only folder need root, to mount; without, a limit on file size
and chmod stand in for them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blows import FullDisk, Kill, ReadOnly
from rounds import Row, endure, spoil_lines, tear_checkpoints, tear_records, together
from work import Work, make_data

SHARES = {"evaluate": 0.4, "attack": 0.3, "train": 0.3}
FAULTS = ("kill", "disk", "readonly", "torn", "together")


def plan(
    works: dict[str, Work], kills: int, others: int, seed: int, chosen: list[str], scratch: Path
) -> list[Callable[[], Row]]:
    """One job for each row of the table."""
    jobs: list[Callable[[], Row]] = []

    def add(job: Callable[..., Row], *arguments: object) -> None:
        place = scratch / f"job-{len(jobs)}"
        jobs.append(lambda: job(*arguments, place))

    for name, work in works.items():
        if "kill" in chosen and (count := round(kills * SHARES[name])):
            add(endure, Kill(), work, count, seed)
        if "disk" in chosen and others:
            add(endure, FullDisk(), work, others, seed)
        if "readonly" in chosen and others and ReadOnly.possible():
            add(endure, ReadOnly(), work, others, seed)
        if "torn" in chosen and others and name == "evaluate":
            add(tear_records, work, 4 * others, seed)
            add(spoil_lines, work, others, seed)
        if "torn" in chosen and others and name == "train":
            add(tear_checkpoints, work, others, seed)
        if "together" in chosen and others and name != "train":
            add(together, work, -(-others // 4))
    return jobs


def rows(jobs: list[Callable[[], Row]], count: int) -> Iterator[Row]:
    """What comes of the jobs, in their order, ``count`` of them in work at once."""
    if count == 1:  # in this thread, which an interruption reaches, so that what is mounted is unmounted
        yield from (job() for job in jobs)
        return
    with ThreadPoolExecutor(count) as pool:
        try:
            yield from pool.map(lambda job: job(), jobs)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # those in work end first, and unmount
            raise


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prog="python benchmarks/faults",
    )
    parser.add_argument("--kills", type=int, default=100, help="of the three commands together")
    parser.add_argument("--others", type=int, default=10, help="of each other fault to each command")
    parser.add_argument("--faults", default=",".join(FAULTS), help="some of them, separated by commas")
    parser.add_argument("--works", default=",".join(SHARES), help="some of them, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="rows of the table in work at once")
    given = parser.parse_args()
    chosen, names = given.faults.split(","), given.works.split(",")
    if wrong := {*chosen, *names} - {*FAULTS, *SHARES}:
        parser.error(f"unknown: {', '.join(sorted(wrong))}")
    os.environ["SRBENCH_OFFLINE"] = "1"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scratch = Path(tempfile.mkdtemp(prefix="srbench-faults-"))
    make_data(scratch / "data")
    works = {name: Work(name, scratch / "data", scratch / "quiet" / name) for name in SHARES if name in names}
    for work in works.values():
        work.run_quietly()
    jobs = plan(works, given.kills, given.others, given.seed, chosen, scratch)
    if "readonly" in chosen and not ReadOnly.possible():
        print("read-only folders were not tried: root, and nothing can be mounted here", file=sys.stderr)
    print("| fault | srbench | tried | survived |\n|---|---|---:|---:|", flush=True)
    failed = False
    for row in rows(jobs, given.jobs):
        print(f"| {row.fault} | {row.work} | {row.tried} | {row.survived} |", flush=True)
        for line in row.problems:
            print(line, file=sys.stderr, flush=True)
        failed |= bool(row.problems)
    if failed:
        sys.exit(f"what is left of it: {scratch}")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
