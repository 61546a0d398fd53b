"""Forms: a loop that asks for its slots one by one until all are there, or until it is told to stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.rasa.action_run import ActionRun
from bot.rasa.actions.protocol import ActionFailed, ActionRejected
from bot.rasa.conversation import REQUESTED, apply_event
from bot.rasa.project import Form, RasaDomain
from memory.events import Event, TrackerEvent
from policies.stories.state import LISTEN

REJECTED = "action_execution_rejected"


async def run_form(run: ActionRun, form: Form) -> None:
    """One run of the form: begin it, check what the message filled, ask for the next slot or end it.

    Raises:
        ActionRejected: the message filled nothing that was asked for; rules and stories may answer it.
        ActionFailed: the project's validation or question could not be run.
    """
    asked, extracted = run.state.requested_slot, dict(run.state.extracted)
    if run.state.active_loop != form.name:
        run.tell("active_loop", name=form.name)
        slots = run.state.slots
        await _validate(run, form, {name: slots[name] for name in form.required_slots if slots.get(name) is not None})
    elif run.state.latest_action == LISTEN and not run.state.loop_interrupted:
        wanted = (*form.required_slots, asked)
        await _validate(run, form, {name: value for name, value in extracted.items() if name in wanted})
        if asked and not _filled_something(run.events) and not is_rejected(run.events):
            raise ActionRejected(form.name, f"the message says nothing about {asked}")
    else:  # back from an interruption: the message was for somebody else
        await _validate(run, form, {})
    if is_rejected(run.events):
        return
    if not _finished(run.events):
        await _request(run, form)
    if _finished(run.events):
        run.tell("active_loop", name=None)
        if run.state.requested_slot is not None:
            run.tell("slot", name=REQUESTED, value=None)


async def _validate(run: ActionRun, form: Form, candidates: Mapping[str, Any]) -> None:
    """Set the slots, those that the project's ``validate_<form>`` says nothing of as they are."""
    action = f"validate_{form.name}"
    domain = run.turn.project.domain
    changed: set[Any] = set()
    if action in domain.actions:
        offered = run.state
        for name, value in candidates.items():
            offered = apply_event(domain, offered, _slot(run.turn.now, name, value))
        try:
            result = await run.call(action, offered)
        except ActionFailed:
            for name in candidates:  # what nobody checked isn't kept: it will be asked for again
                run.tell("slot", name=name, value=None)
            raise
        await run.take(result)
        changed = {event.get("name") for event in result.events if event.get("event") == "slot"}
    for name, value in candidates.items():
        if name not in changed:
            run.tell("slot", name=name, value=value)


async def _request(run: ActionRun, form: Form) -> None:
    """Ask for the slot that the validation chose, else for the first one that is missing."""
    wanted = next((value for name, value in _slots_set(run.events) if name == REQUESTED and value), None)
    if wanted is None:
        wanted = next((name for name in form.required_slots if run.state.slots.get(name) is None), None)
        run.tell("slot", name=REQUESTED, value=wanted)
    if wanted is not None:
        await _ask(run, form, wanted)


async def _ask(run: ActionRun, form: Form, slot: str) -> None:
    action = question(run.turn.project.domain, form, slot)
    if action is None:
        return
    if action in run.turn.project.domain.responses:
        await run.say(action)
    else:
        await run.custom(action)


def question(domain: RasaDomain, form: Form, slot: str) -> str | None:
    """The action or response that asks for a slot; None when the project has none."""
    names = (f"{kind}_ask_{about}" for about in (f"{form.name}_{slot}", slot) for kind in ("action", "utter"))
    return next((name for name in names if name in domain.actions or name in domain.responses), None)


def is_rejected(events: list[Event]) -> bool:
    """Whether an action's events say that it refuses."""
    return any(isinstance(event, TrackerEvent) and event.name == REJECTED for event in events)


def _filled_something(events: list[Event]) -> bool:
    return any(name != REQUESTED for name, _ in _slots_set(events))


def _slots_set(events: list[Event]) -> list[tuple[str, Any]]:
    """The slots that were set, the latest first."""
    slots = (event.fields for event in reversed(events) if isinstance(event, TrackerEvent) and event.name == "slot")
    return [(str(fields.get("name")), fields.get("value")) for fields in slots]


def _finished(events: list[Event]) -> bool:
    """Whether nothing is asked for any more, or the loop was ended; the last word on either counts."""
    requested = next((value for name, value in _slots_set(events) if name == REQUESTED), "unsaid")
    loops = [event for event in events if isinstance(event, TrackerEvent) and event.name == "active_loop"]
    return requested is None or (bool(loops) and loops[-1].fields.get("name") is None)


def _slot(now: float, name: str, value: Any) -> TrackerEvent:
    return TrackerEvent(now, "slot", {"name": name, "value": value})
