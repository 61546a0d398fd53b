"""A policy of your own in a bot: offer as soon as anything is known, ask for the area otherwise.

Run it from the project's folder, after `rejoinder train`:  python examples/own_policy.py
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np

from bot.app import build
from bot.assistant import load_assistant
from bot.config import load_config
from memory.belief import BeliefState
from memory.dialogue import UserMessage
from memory.ontology import BoolArray
from policies.actions import ActionSpace
from policies.policy import PolicyOutput


class Eager:
    """The first allowed action of a list of favourites."""

    name = "eager"
    version = "1"

    def __init__(self, space: ActionSpace) -> None:
        self._favourites = [space.index[name] for name in ("answer", "offer", "request_area", "reqmore")]

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        actions = [next((a for a in self._favourites if mask[a]), int(np.argmax(mask))) for mask in masks]
        values = np.full(masks.shape, np.nan, dtype=np.float32)
        return PolicyOutput(np.array(actions, dtype=np.int32), values, np.ones(len(masks), dtype=np.float32))


async def main() -> None:
    config = load_config()
    assistant = load_assistant(config.assistant)
    with tempfile.TemporaryDirectory() as folder:
        config = config.model_copy(update={"data": Path(folder)})
        bot = build(config, assistant=assistant, policy=Eager(ActionSpace(assistant.ontology)))
        for text in ("good evening", "something thai please", "what is their phone number?"):
            replies = await bot.conversations.handle(UserMessage("example", text, timestamp=time.time()))
            print("you:", text)
            print("bot:", " ".join(reply.text for reply in replies))
        bot.close()


if __name__ == "__main__":
    asyncio.run(main())
