"""Who decided: how often each policy, layer of a stack and version did, and how often one took over from another."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bot.learning.experience import latest_conversations
from memory.events import Decided
from memory.store_opening import StoreAddress


def decision_report(database: StoreAddress, limit: int) -> dict[str, Any]:
    """Counts over the ``limit`` latest conversations.

    ``share`` is the decider's coverage; ``takeovers`` counts decisions whose predecessor in the same conversation was
    made by another policy or layer. StoreUnavailable when the log can't be read.
    """
    decided: Counter[tuple[str, str]] = Counter()
    takeovers: Counter[tuple[str, str]] = Counter()
    conversations = 0
    for _, events in latest_conversations(database, limit):
        conversations += 1
        previous: str | None = None
        for event in events:
            if not isinstance(event, Decided):
                continue
            who = (event.decision.policy, event.decision.version)
            decided[who] += 1
            takeovers[who] += previous is not None and previous != who[0]
            previous = who[0]
    total = decided.total()
    deciders = [
        {
            "policy": policy,
            "version": version,
            "decisions": count,
            "share": count / total,
            "takeovers": takeovers[policy, version],
        }
        for (policy, version), count in decided.most_common()
    ]
    return {"conversations": conversations, "decisions": total, "deciders": deciders}
