"""What an action may answer: Rasa's events and responses, checked before anything of it enters a conversation."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from bot.rasa.actions.protocol import ActionFailed, ActionResult
from bot.rasa.parse_data import nlu_from_parse_data

MAX_EVENTS: Final = 1_000
MAX_RESPONSES: Final = 100
"""Far more than any action of a real project gives."""
MAX_DEPTH: Final = 64
"""Levels of lists and objects: what is stored is written and read again below a deeper stack than here."""
MAX_DIGITS: Final = 100
LAST_SECOND: Final = 10**11
"""Times in seconds since the epoch are below; milliseconds by mistake are above."""

_TEXT, _OPTIONAL_TEXT, _FLAG = (str,), (str, type(None)), (bool,)
_LIST, _OPTIONAL_MAP, _OPTIONAL_NUMBER = (list,), (dict, type(None)), (int, float, type(None))
_ANY = (object,)

Fields = Mapping[str, tuple[type, ...]]

_REQUIRED: Final[Mapping[str, Fields]] = {
    "user": {},
    "bot": {},
    "action": {},
    "slot": {"name": _TEXT, "value": _ANY},
    "active_loop": {"name": _OPTIONAL_TEXT},
    "form": {"name": _OPTIONAL_TEXT},
    "loop_interrupted": {"is_interrupted": _FLAG},
    "form_validation": {"validate": _FLAG},
    "action_execution_rejected": {"name": _TEXT},
    "session_started": {},
    "session_ended": {},
    "restart": {},
    "reset_slots": {},
    "rewind": {},
    "undo": {},
    "followup": {"name": _TEXT},
    "pause": {},
    "resume": {},
    "reminder": {"intent": _TEXT, "date_time": _TEXT},
    "cancel_reminder": {},
    "export": {},
    "agent": {"text": _TEXT},
    "entities": {"entities": _LIST},
    "user_featurization": {},
}
"""Rasa's events and the fields that each must have."""

_OPTIONAL: Final[Mapping[str, Fields]] = {
    "user": {"text": _OPTIONAL_TEXT, "parse_data": _OPTIONAL_MAP, "input_channel": _OPTIONAL_TEXT},
    "bot": {"text": _OPTIONAL_TEXT, "data": _OPTIONAL_MAP},
    "action": {"name": _OPTIONAL_TEXT, "action_text": _OPTIONAL_TEXT, "policy": _OPTIONAL_TEXT},
    "reminder": {"name": _OPTIONAL_TEXT},
}
_EVERYWHERE: Final[Fields] = {"timestamp": _OPTIONAL_NUMBER, "metadata": _OPTIONAL_MAP}

_RESPONSE: Final[Fields] = {
    "text": _OPTIONAL_TEXT,
    "response": _OPTIONAL_TEXT,
    "template": _OPTIONAL_TEXT,
    "image": _OPTIONAL_TEXT,
    "buttons": (list, type(None)),
    "elements": (list, type(None)),
    "quick_replies": (list, type(None)),
    "custom": _OPTIONAL_MAP,
    "metadata": _OPTIONAL_MAP,
}


def check_event(event: object) -> str | None:
    """What is wrong with one event in Rasa's JSON, as the end of a sentence, or None."""
    if not isinstance(event, dict):
        return f"is {_kind(event)}, not an object"
    name = event.get("event")
    if not isinstance(name, str) or name not in _REQUIRED:
        return "has no `event`" if name is None else f"has the unknown `event` {str(name)[:60]!r}"
    for key, types in _REQUIRED[name].items():
        if key not in event:
            return f"({name}) has no `{key}`"
        if not _is(event[key], types):
            return f"({name}): `{key}` is {_kind(event[key])}"
    for key, types in {**_OPTIONAL.get(name, {}), **_EVERYWHERE}.items():
        if not _is(event.get(key), (*types, type(None))):
            return f"({name}): `{key}` is {_kind(event[key])}"
    if not 0 <= (event.get("timestamp") or 0) <= LAST_SECOND:
        return f"({name}): `timestamp` must be a number of seconds since the epoch"
    if name == "action" and event.get("name") is None and event.get("action_text") is None:
        return "(action) has neither `name` nor `action_text`"
    return None


def _check_returned(event: Any) -> str | None:
    """``check_event``, and whether what was said and understood can be read: turns take it over."""
    problem = check_event(event)
    if problem is not None:
        return problem
    if event["event"] == "bot":
        said = check_response({**(event.get("data") or {}), "text": event.get("text")})
        return None if said is None else f"(bot) {said}"
    if event["event"] == "user":
        try:
            nlu_from_parse_data(event)
        except (ValueError, TypeError) as error:
            return f"(user): {str(error)[:100]}"
    return None


def check_response(response: object) -> str | None:
    """What is wrong with one response of an action, as the end of a sentence, or None."""
    if not isinstance(response, dict):
        return f"is {_kind(response)}, not an object"
    for key, types in _RESPONSE.items():
        if not _is(response.get(key), types):
            return f"has a `{key}` that is {_kind(response[key])}"
    for key in ("buttons", "quick_replies"):
        if not all(isinstance(button, dict) for button in response.get(key) or ()):
            return f"has a `{key}` with something that is not an object"
    return None


def parse_json(body: bytes) -> Any:
    """The body as JSON values. Raises ValueError for anything that can't be stored and sent on as JSON in UTF-8."""
    try:
        value = json.loads(body.decode(), parse_constant=_finite, parse_float=_finite, parse_int=_short)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate would break the log and every channel
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [child for children in inner for child in children]
        if not level:
            return
    raise ValueError("nested too deeply")


def read_result(action: str, value: object) -> ActionResult:
    """The result in an answer ``{events: [...], responses: [...]}``; both may be missing or null.

    Raises:
        ActionFailed: kind "garbage", and what is wrong with it.
    """
    if value is None:
        return ActionResult()
    if not isinstance(value, dict):
        raise ActionFailed(action, "garbage", f"the answer is {_kind(value)}, not an object")
    events = _entries(action, value, "events", MAX_EVENTS)
    responses = _entries(action, value, "responses", MAX_RESPONSES)
    for name, entries, check in (("event", events, _check_returned), ("response", responses, check_response)):
        for index, entry in enumerate(entries):
            problem = check(entry)
            if problem is not None:
                raise ActionFailed(action, "garbage", f"{name} {index + 1} of the answer {problem}")
    return ActionResult(tuple(events), tuple(responses))


def _entries(action: str, answer: dict[str, Any], key: str, most: int) -> list[Any]:
    entries = answer.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ActionFailed(action, "garbage", f"`{key}` is {_kind(entries)}, not a list")
    if len(entries) > most:
        raise ActionFailed(action, "too_large", f"{len(entries)} {key}, at most {most} are taken")
    return entries


def _is(value: object, types: tuple[type, ...]) -> bool:
    # True and False are numbers to Python only
    return isinstance(value, types) and not (isinstance(value, bool) and bool not in types and object not in types)


def _kind(value: object) -> str:
    names: dict[type, str] = {
        dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number",
        type(None): "null",
    }  # fmt: skip
    return names.get(type(value), type(value).__name__)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number[:20]} is no number that JSON can hold")
    return value


def _short(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)
