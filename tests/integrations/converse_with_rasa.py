"""Run by Rasa's interpreter: a conversation with a trained model; replies and events are the last line of output."""

import asyncio
import json
import sys


async def main(model: str, messages: list) -> None:
    from rasa.core.agent import Agent
    from rasa.shared.core.trackers import EventVerbosity

    agent = Agent.load(model)
    replies = [[reply.get("text") for reply in await agent.handle_text(text, sender_id="ann")] for text in messages]
    tracker = await agent.tracker_store.retrieve("ann")
    state = tracker.current_state(EventVerbosity.ALL)
    print(json.dumps({"replies": replies, "events": state["events"]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
