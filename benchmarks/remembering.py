"""How long the memory of a conversation takes: a statement, an answer, and reading all again after a restart.

    python benchmarks/remembering.py [--statements 256] [--json]

One conversation with the memory that comes with the package, on one thread, without the server and the NLU:
``Recall.hear`` on messages of a person who puts things away. Prints milliseconds of one core (median, 95th percentile).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.assistant import load_assistant
from bot.recall import Recall
from bot.story_statements import StoryStatements
from memory.conversation import Conversation, Turn
from memory.dialogue import UserMessage
from memory.dnc.reader import SHIPPED, StoryMemory

THINGS = ("passport", "charger", "umbrella", "notebook", "suitcase", "laptop", "scarf", "camera", "ticket", "wallet")
PLACES = ("drawer", "office", "hallway", "kitchen", "car", "cellar", "wardrobe", "bathroom")


def measure(count: int) -> dict[str, float]:
    """Milliseconds by name for a conversation of ``count`` statements."""
    assistant = load_assistant(Path(__file__).parents[1] / "assistants" / "restaurants")
    model, rng = StoryMemory.load(SHIPPED), np.random.default_rng(0)
    recall = Recall(assistant, StoryStatements(model))
    state = Conversation.new(assistant.ontology, "benchmark")
    times: dict[str, list[float]] = {"statement": [], "answer": []}
    for number in range(count):
        thing, place = THINGS[number % len(THINGS)], PLACES[int(rng.integers(len(PLACES)))]
        for name, text in (
            ("statement", f"I left the {thing} in the {place}."),
            ("answer", f"Where is my {THINGS[int(rng.integers(len(THINGS)))]}?"),
        ):
            began = time.thread_time()
            heard = recall.hear(state, UserMessage("benchmark", text), rng)
            times[name].append((time.thread_time() - began) * 1000)
            if heard is not None:
                state = Turn.begin(state).then(assistant.ontology, *heard.events).state
    again = StoryStatements(model)
    began = time.thread_time()
    again.knows(state.remembered, "Where is my passport?")
    reread = (time.thread_time() - began) * 1000
    report = {"statements": float(count), "reread_ms": round(reread, 1)}
    for name, taken in times.items():
        report[f"{name}_p50_ms"] = round(statistics.median(taken), 2)
        report[f"{name}_p95_ms"] = round(statistics.quantiles(taken, n=20)[-1], 2)
    return report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statements", type=int, default=256, help="length of the conversation (default 256)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    report = measure(given.statements)
    print(json.dumps(report) if given.json else "\n".join(f"{name:>18} {value:g}" for name, value in report.items()))


if __name__ == "__main__":
    main()
