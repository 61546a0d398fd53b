"""``python -m tests.bot.learning.promote_for_tests POLICY CANDIDATE...``: promotes and rolls back without end.

``--trap`` breaks the mechanism on purpose: the candidate's files are written over the served ones.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

from bot.learning.versions import PolicyVersions


def in_place(versions: PolicyVersions, candidate: Path) -> None:
    """The trap: no staging, no rename, no atomic write."""
    target = versions.served()
    for name in ("policy.onnx", "manifest.json"):
        with (target / name).open("wb") as file:
            for byte in range(0, len(data := (candidate / name).read_bytes()), 200):
                file.write(data[byte : byte + 200])
                file.flush()


def promote(versions: PolicyVersions, candidate: Path) -> None:
    with versions.staging() as staged:
        for name in ("policy.onnx", "manifest.json"):
            (staged / name).write_bytes((candidate / name).read_bytes())
        versions.publish(staged)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("policy", type=Path)
    parser.add_argument("candidates", type=Path, nargs="+")
    parser.add_argument("--trap", action="store_true")
    given = parser.parse_args()
    versions = PolicyVersions(given.policy)
    print("ready", flush=True)
    for turn, candidate in enumerate(itertools.cycle(given.candidates)):
        (in_place if given.trap else promote)(versions, candidate)
        if turn % 3 == 2 and not given.trap:
            versions.rollback()


if __name__ == "__main__":
    main()
