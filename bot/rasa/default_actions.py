"""The actions that every Rasa project has without writing them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.rasa.action_run import ActionRun
from bot.rasa.conversation import REQUESTED, TWO_STAGE_FALLBACK
from bot.rasa.features import SESSION_METADATA
from bot.rasa.mappings import extracted_slots
from bot.rasa.parse_data import parse_data
from bot.rasa.reading.names import FALLBACK_INTENT
from memory.dialogue import BotResponse, Button
from policies.stories.state import LISTEN

SESSION_START = "action_session_start"
OUT_OF_SCOPE = "out_of_scope"

NOT_UNDERSTOOD = "Sorry, I didn't get that. Could you say it in other words?"
"""Said where the project has no `utter_default` or `utter_ask_rephrase`: silence would look like a defect."""


async def listen(run: ActionRun) -> None:
    """Wait for the user."""


def listen_again(run: ActionRun) -> None:
    """Wait for the user though no policy said so; stories see it where they saw what went before."""
    hidden = {"hide_rule_turn": True} if run.state.seen.hidden else {}
    run.tell("action", name=LISTEN, policy=None, confidence=None, **hidden)


async def session_start(run: ActionRun) -> None:
    """Begin a session; slots are carried over where the domain says so."""
    domain, before = run.turn.project.domain, run.state
    initial = {name: slot.initial_value for name, slot in domain.slots.items()}
    run.tell("session_started")
    if domain.carry_over_slots and before.started:
        for name, value in before.slots.items():
            if name not in (REQUESTED, SESSION_METADATA) and value != initial.get(name):
                run.tell("slot", name=name, value=value)
    listen_again(run)


async def restart(run: ActionRun) -> None:
    """Forget the conversation; a new session follows."""
    await run.say("utter_restart")
    run.tell("restart")


async def back(run: ActionRun) -> None:
    """As if the message before had not been said."""
    await run.say("utter_back")
    run.tell("rewind")
    run.tell("rewind")


async def default_fallback(run: ActionRun) -> None:
    """Nobody knew what to do: say so, and forget the message."""
    if not await run.say("utter_default"):
        run.utter(BotResponse(NOT_UNDERSTOOD))
    run.tell("rewind")


async def deactivate_loop(run: ActionRun) -> None:
    """Leave the form."""
    run.tell("active_loop", name=None)
    run.tell("slot", name=REQUESTED, value=None)


async def ask_affirmation(run: ActionRun) -> None:
    """Offer the most probable intent."""
    ranking = [name for name, _ in run.state.latest.nlu.intents] if run.state.latest else []
    intent = next((name for name in ranking if name != FALLBACK_INTENT), OUT_OF_SCOPE)
    buttons = (Button("Yes", f"/{intent}"), Button("No", f"/{OUT_OF_SCOPE}"))
    run.utter(BotResponse(f"Did you mean '{intent}'?", buttons, parts=_by("action_default_ask_affirmation")))


async def ask_rephrase(run: ActionRun) -> None:
    """Ask for other words."""
    if not await run.say("utter_ask_rephrase"):
        run.utter(BotResponse(NOT_UNDERSTOOD, parts=_by("action_default_ask_rephrase")))


async def two_stage_fallback(run: ActionRun) -> None:
    """A loop that offers an intent, then asks for other words, and gives up when it fails twice.

    When the user has made it clear the turns in between are taken back: the conversation goes on as if the clear
    message had been the first.
    """
    state = run.state
    began = state.active_loop != TWO_STAGE_FALLBACK
    if began:
        run.tell("active_loop", name=TWO_STAGE_FALLBACK)
    turns = 1 if began else state.loop_turns
    intents = state.intents[-min(turns, 3) :]
    twice = (FALLBACK_INTENT, FALLBACK_INTENT), (OUT_OF_SCOPE, FALLBACK_INTENT, OUT_OF_SCOPE)
    if intents[-2:] == twice[0] or intents == twice[1]:
        if not await run.say("utter_default"):
            run.utter(BotResponse(NOT_UNDERSTOOD))
        _take_back(run, turns)
    elif not began and intents[-1] not in (FALLBACK_INTENT, OUT_OF_SCOPE):
        _clarified(run, turns)
    elif intents[-1] == OUT_OF_SCOPE:
        await ask_rephrase(run)
    else:
        await ask_affirmation(run)


async def revert_fallback_events(run: ActionRun) -> None:
    """Take back the question what was meant; the latest message stays."""
    _clarified(run, 2)


def _take_back(run: ActionRun, turns: int) -> None:
    run.tell("active_loop", name=None)
    for _ in range(turns):
        run.tell("rewind")


def _clarified(run: ActionRun, turns: int) -> None:
    latest = run.state.latest
    _take_back(run, turns)
    if latest is None:
        return
    listen_again(run)
    understood = parse_data(latest.nlu, latest.message_id)
    # no second UserUttered: the log holds every message once
    run.tell(
        "user",
        text=latest.nlu.text,
        parse_data=understood,
        input_channel=latest.channel,
        message_id=latest.message_id,
    )
    for name, value in extracted_slots(run.turn.project.domain, run.state):
        run.tell("slot", name=name, value=value)


def _by(action: str) -> dict[str, object]:
    return {"metadata": {"utter_action": action}}


DEFAULT_ACTIONS: dict[str, Callable[[ActionRun], Awaitable[None]]] = {
    LISTEN: listen,
    "action_restart": restart,
    SESSION_START: session_start,
    "action_default_fallback": default_fallback,
    "action_deactivate_loop": deactivate_loop,
    "action_revert_fallback_events": revert_fallback_events,
    "action_default_ask_affirmation": ask_affirmation,
    "action_default_ask_rephrase": ask_rephrase,
    TWO_STAGE_FALLBACK: two_stage_fallback,
    "action_unlikely_intent": listen,
    "action_back": back,
}
"""By name; a project may write an action of its own with one of these names."""
