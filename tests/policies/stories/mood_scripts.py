"""A small bot's stories and rules as scripts: greeting, moods, two questions at any time and a form."""

from __future__ import annotations

from policies.stories.scripts import Script
from policies.stories.state import LISTEN, StoryState


def script(name: str, *turns: tuple[str, ...], rule: bool = False) -> Script:
    """Each turn is an intent and the actions that answer it; the bot then listens."""
    states, actions = [], []
    for intent, *answers in turns:
        previous = LISTEN
        for action in (*answers, LISTEN):
            states.append(StoryState(intent=intent, previous_action=previous))
            actions.append(action)
            previous = action
    return Script(name, tuple(states), tuple(actions), rule)


HAPPY = script("happy path", ("greet", "utter_greet"), ("mood_great", "utter_happy"))
SAD = script(
    "sad path", ("greet", "utter_greet"), ("mood_unhappy", "utter_cheer_up", "utter_help"), ("affirm", "utter_happy")
)
STILL_SAD = script(
    "still sad", ("greet", "utter_greet"), ("mood_unhappy", "utter_cheer_up", "utter_help"), ("deny", "utter_goodbye")
)
BYE = script("bye", ("goodbye", "utter_goodbye"), rule=True)
CHALLENGE = script("challenge", ("bot_challenge", "utter_iamabot"), rule=True)
MOODS = (HAPPY, SAD, STILL_SAD, BYE, CHALLENGE)


def form_story() -> Script:
    """A form that begins, hears one value and ends."""
    asked = {"requested_slot": "size"}
    states = (
        StoryState(intent="order", previous_action=LISTEN),
        StoryState("order", previous_action="pizza_form", active_loop="pizza_form", requested_slot="size", slots=asked),
        StoryState(
            "inform", ("size",), previous_action=LISTEN, active_loop="pizza_form", slots=asked | {"size": "set"}
        ),
        StoryState("inform", ("size",), previous_action="pizza_form", slots={"size": "set"}),
        StoryState("inform", ("size",), previous_action="utter_done", slots={"size": "set"}),
    )
    return Script("order", states, ("pizza_form", LISTEN, "pizza_form", "utter_done", LISTEN))
