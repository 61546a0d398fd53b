"""The actions of ``action_project`` run by whoever runs actions, as JSON (no pytest: it also runs beside rasa_sdk)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.assistant_yaml import read_map
from bot.rasa.actions.protocol import ActionFailed, ActionRejected, ActionResult

PROJECT = Path(__file__).parent / "action_project"
DOMAIN: Mapping[str, Any] = json.loads(json.dumps(read_map(PROJECT / "domain.yml", needed_for="actions")))


def tracker(requested: str | None = None, **slots: Any) -> dict[str, Any]:
    filled = [{"event": "slot", "name": name, "value": value, "timestamp": 2.0} for name, value in slots.items()]
    form = {"name": "order_form"} if requested else {}
    heard = {"event": "user", "text": "hi", "timestamp": 1.0, "parse_data": {"intent": {"name": "order"}}}
    return {
        "sender_id": "ann", "latest_message": {"text": "hi", "intent": {"name": "order"}, "entities": []},
        "slots": {"size": None, "people": None, "requested_slot": requested, **slots}, "paused": False,
        "events": [heard, *filled], "latest_input_channel": "rest", "active_loop": form,
        "latest_action_name": "action_listen", "followup_action": None, "latest_event_time": 2.0,
    }  # fmt: skip


def described(outcome: ActionResult | ActionFailed | ActionRejected) -> dict[str, Any]:
    """The outcome as JSON, without what the SDK leaves empty."""
    if isinstance(outcome, ActionFailed):
        return {"failed": outcome.kind, "reason": outcome.reason}
    if isinstance(outcome, ActionRejected):
        return {"rejected": outcome.reason}
    responses = [{key: value for key, value in response.items() if value} for response in outcome.responses]
    events = [{key: value for key, value in event.items() if key != "timestamp"} for event in outcome.events]
    return {"events": events, "responses": responses}


async def outcomes(actions: Any, *more: str) -> dict[str, Any]:
    """What becomes of each of the project's actions; ``more`` run before the last ones."""

    async def run(name: str, state: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return described(await actions.run(name, tracker() if state is None else state, DOMAIN, "ann", "k"))
        except (ActionFailed, ActionRejected) as error:
            return described(error)

    names = ("echo", "refuse", "break", "invalid_event", "async", "unknown", *more)
    found = {name: await run(f"action_{name}") for name in names}
    found["echo again"] = await run("action_echo")
    form = "validate_order_form"
    found["valid"] = await run(form, tracker("size", size="large"))
    found["invalid"] = await run(form, tracker("size", size="huge"))
    return found
