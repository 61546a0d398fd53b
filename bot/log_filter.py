"""The filters of searches in the log, from words to a ``TurnFilter``: the same in the terminal and in the API."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from memory.store_turns import Sentiment, TurnFilter

_AGO = re.compile(r"^(\d{1,6})([mhdw])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SENTIMENTS = ("negative", "neutral", "positive")
FEEDBACK = {"up": 1, "down": -1}
NAMES = ("intent", "channel", "since", "until", "sentiment", "failed", "feedback")


def turn_filter(given: Mapping[str, str], now: float | None = None) -> TurnFilter:
    """The filter that ``given`` names (``NAMES``); empty values filter nothing.

    ``since``/``until`` are days (until: the whole day), ISO times (UTC unless they say otherwise) or ages such as
    ``7d``; ``sentiment`` negative, neutral or positive; ``failed`` yes or no; ``feedback`` up or down.

    Raises:
        ValueError: naming the filter and what it takes.
    """
    value = {name: given.get(name, "").strip() for name in NAMES}
    present = time.time() if now is None else now
    return TurnFilter(
        intent=value["intent"] or None,
        channel=value["channel"] or None,
        since=_moment("since", value["since"], present),
        until=_moment("until", value["until"], present),
        sentiment=cast("Sentiment | None", _one_of("sentiment", value["sentiment"], SENTIMENTS)),
        failed={"yes": True, "no": False}.get(_one_of("failed", value["failed"], ("yes", "no")) or ""),
        feedback=FEEDBACK.get(_one_of("feedback", value["feedback"], tuple(FEEDBACK)) or ""),
    )


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str | None:
    if value and value not in known:
        raise ValueError(f"{name} is {value!r}: give {', '.join(known[:-1])} or {known[-1]}")
    return value or None


def _moment(name: str, value: str, now: float) -> float | None:
    if not value:
        return None
    try:
        if ago := _AGO.match(value):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}).total_seconds()
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if name == "until" and re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", value):
            moment += timedelta(days=1)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is {value!r}: give a day such as 2026-03-31, a time, or an age such as 7d") from None
