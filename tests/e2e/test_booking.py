"""From a wish to a booking: a person, a browser, the real bot."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.chat_page import open_chat, say, wait_for_answers

MAX_TURNS = 8
ANSWERS = (
    (r"what name|whose name|name for the|under (what|which) name", "Sam Miller"),
    (r"how many", "four of us"),
    (r"what time|when would|which other time", "7pm"),
    (r"which day|what day", "on friday"),
    (r"shall I book it|is that correct|all right\?", "yes please"),
    (r"did you say|just to be sure|do you mean", "yes"),
)


@pytest.mark.parametrize(
    "wishes",
    [
        ("I want a cheap chinese place in the north", "book a table for 4 on friday at 7"),
        ("cheap chinse in the north pls", "can i book it for friday", "4 ppl at 7pm"),
        ("cheap Chinese in the north for 4 on Friday at 7, and what's the phone number?", "great, please book it"),
    ],
    ids=["plain", "typos", "all at once"],
)
def test_a_booking_in_at_most_eight_turns(real: str, context: Any, wishes: tuple[str, ...]) -> None:
    page = context.new_page()
    open_chat(page, real)
    waiting, said = list(wishes), []
    last = ""
    for turn in range(1, MAX_TURNS + 1):
        answer = next((text for pattern, text in ANSWERS if re.search(pattern, last, re.IGNORECASE)), None)
        text = waiting.pop(0) if waiting and (answer is None or not said) else answer or "please book it"
        say(page, text)
        last = wait_for_answers(page, turn)[-1]
        said.append((text, last))
        if re.search(r"reference (is )?[A-HJ-NP-Z2-9]{8}", last):
            break
    else:
        pytest.fail("no booking:\n" + "\n".join(f"> {text}\n  {reply}" for text, reply in said))
    talk = " ".join(reply for _, reply in said)
    assert "Mrs Liu" in talk or "Lantern" in talk or "chinese" in talk.lower()
    assert "Friday" in last
    assert "19:00" in last
    assert "Sam Miller" in last
