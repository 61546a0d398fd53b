"""Custom actions as Rasa users write them, good ones and bad ones."""

import asyncio
import time

from rasa_sdk import Action
from rasa_sdk.events import FollowupAction, SlotSet
from rasa_sdk.interfaces import ActionExecutionRejection


class Echo(Action):
    def name(self):
        return "action_echo"

    def run(self, dispatcher, tracker, domain):
        text = (tracker.latest_message or {}).get("text")
        dispatcher.utter_message(
            text=f"{tracker.sender_id} said {text}", buttons=[{"title": "ok", "payload": "/affirm"}]
        )
        dispatcher.utter_message(response="utter_done", forms=len(domain.get("forms", {})))
        return [SlotSet("size", "large"), FollowupAction("action_listen")]


class Refuse(Action):
    def name(self):
        return "action_refuse"

    def run(self, dispatcher, tracker, domain):
        raise ActionExecutionRejection(self.name(), "not now")


class Break(Action):
    def name(self):
        return "action_break"

    def run(self, dispatcher, tracker, domain):
        raise KeyError("no such city")


class InvalidEvent(Action):
    def name(self):
        return "action_invalid_event"

    def run(self, dispatcher, tracker, domain):
        return [{"event": "slot", "value": 3}]


class Slow(Action):
    def name(self):
        return "action_slow"

    def run(self, dispatcher, tracker, domain):
        time.sleep(30)


class Async(Action):
    def name(self):
        return "action_async"

    async def run(self, dispatcher, tracker, domain):
        await asyncio.sleep(0)
        return [SlotSet("people", 2.0)]


class AsyncSlow(Action):
    def name(self):
        return "action_async_slow"

    async def run(self, dispatcher, tracker, domain):
        await asyncio.sleep(30)


class Spoil(Action):
    def name(self):
        return "action_spoil"

    def run(self, dispatcher, tracker, domain):
        domain["forms"] = {}
        tracker.slots["size"] = "spoilt"
        tracker.events.clear()
        return []
