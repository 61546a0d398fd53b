"""TC-Bot's 43 system actions, in its order: four bare acts, inform of 20 slots, request of 19."""

from __future__ import annotations

import numpy as np

from simulator.tcbot.task import PEOPLE, TASK_COMPLETE, TICKET

BARE_ACTS = ("confirm_question", "confirm_answer", "thanks", "deny")
TABLE_SLOTS = (
    "moviename", "theater", "starttime", "date", "genre", "state", "city", "zip", "critic_rating", "mpaa_rating",
    "distanceconstraints", "video_format", "theater_chain", "price", "actor", "description", "other", "numberofkids",
)  # fmt: skip
"""The slots that the system may both inform about and request."""
INFORM_SLOTS = (*TABLE_SLOTS, TASK_COMPLETE, TICKET)
REQUEST_SLOTS = (
    "moviename", "theater", "starttime", "date", PEOPLE, "genre", "state", "city", "zip", "critic_rating",
    "mpaa_rating", "distanceconstraints", "video_format", "theater_chain", "price", "actor", "description", "other",
    "numberofkids",
)  # fmt: skip
ACTIONS = (
    *((act, "") for act in BARE_ACTS),
    *(("inform", slot) for slot in INFORM_SLOTS),
    *(("request", slot) for slot in REQUEST_SLOTS),
)
"""Act and slot ("" for none) of each action."""
NAMES = tuple(f"{act}({slot})" for act, slot in ACTIONS)

BASICS = ("moviename", "starttime", "city", "date", "theater", PEOPLE)
"""What TC-Bot's rule agent requests, in this order, before it offers the ticket and says thanks."""
RULE = np.array(
    [*(ACTIONS.index(("request", slot)) for slot in BASICS), ACTIONS.index(("inform", TASK_COMPLETE)),
     ACTIONS.index(("thanks", ""))],
    dtype=np.int32,
)  # fmt: skip
"""The rule agent's action by the number of its turn."""
