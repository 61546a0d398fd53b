"""10,000 signed events against the Slack channel: repetitions, reordering, a busy Slack and two kills.

    python benchmarks/slack_flood.py [--events 10000] [--restarts 2] [--clients 24]
                                     [--trap ack-before-commit|dedupe-in-memory]

Exit code 1 when an event was lost, done twice or left without its reply, or a limit of Slack's was broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.slack.flood import flood


def main() -> int:
    """Run once and print what became of the events as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--channels", type=int, default=200)
    parser.add_argument("--clients", type=int, default=24, help="events sent at the same time")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--trap")
    args = parser.parse_args()
    options = ("--trap", args.trap) if args.trap else ()
    with tempfile.TemporaryDirectory() as folder:
        outcome = flood(
            Path(folder),
            args.events,
            *options,
            restarts=args.restarts,
            channels=args.channels,
            seed=args.seed,
            clients=args.clients,
        )
    print(json.dumps(asdict(outcome), indent=2))
    return int(bool(outcome.lost or outcome.doubled or outcome.unanswered or outcome.alarms))


if __name__ == "__main__":
    sys.exit(main())
