"""What a system may remember of a dialogue and look up in the table beyond TC-Bot's state vector.

The state vector forgets: a question that the user broke off is no longer in it, nor whether the offer was accepted, and
its count of the rows that fit everything falls to 0 with the number of people. All that is here was said or is in the
table; nothing comes from the user's goal.
"""

from __future__ import annotations

import numpy as np

from simulator.jit import F32
from simulator.tcbot.actions import TABLE_SLOTS
from simulator.tcbot.dialogues import MovieDialogues
from simulator.tcbot.tables import ANY, NO_MATCH, UNSAID

SLOT_FACTS = 8
"""Numbers per slot: asked about before, asked about and not answered, told by the user, answered by the system,
requested, known to have no match, known not to matter, and whether a fitting row has a value."""
FACTS = 5
"""Further numbers: an offer was made, the last one was accepted, confirm_answers so far over 5, whether a row fits what
is known, and the logarithm of how many do over 7."""


class History:
    """Remembers B dialogues, which may begin anew; ask it once after every turn, the first of each included."""

    def __init__(self, dialogues: MovieDialogues) -> None:
        shape = dialogues.state.asked.shape
        self.dialogues = dialogues
        self._slots = np.array([dialogues.task.slots.index(slot) for slot in TABLE_SLOTS])
        self._asked, self._told, self._answered, self._wanted = (np.zeros(shape, dtype=np.bool_) for _ in range(4))
        self._offered, self._accepted = (np.zeros(shape[0], dtype=np.bool_) for _ in range(2))
        self._confirmed = np.zeros(shape[0], dtype=np.int32)

    @property
    def size(self) -> int:
        """Numbers of an observation; 421 for TC-Bot's files."""
        return self.dialogues.size + SLOT_FACTS * len(TABLE_SLOTS) + FACTS

    def observe(self) -> F32:
        """(B, size) the state vector, ``SLOT_FACTS`` groups with a number per slot of the table, and ``FACTS``."""
        self._note()
        known = self.dialogues.state.known
        valued, count = self.dialogues.look_up()
        groups = (
            self._asked, self._asked & ~self._answered, self._told, self._answered, self._wanted, known == NO_MATCH,
            known == ANY, valued,
        )  # fmt: skip
        facts = (self._offered, self._accepted, self._confirmed / 5.0, count > 0, np.log1p(count) / 7.0)
        parts = [self.dialogues.observe(), *(group[:, self._slots] for group in groups), np.stack(facts, axis=1)]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def _note(self) -> None:
        t, s = self.dialogues.tables, self.dialogues.state
        new = s.turn == 0
        for array in (self._asked, self._told, self._answered, self._wanted, self._offered, self._accepted):
            array[new] = False
        self._confirmed[new] = 0
        offer = (s.system_act == t.inform) & (s.told[:, t.complete] != UNSAID)
        self._offered |= offer
        self._accepted[offer] = s.user_act[offer] == t.thanks
        self._confirmed += s.system_act == t.confirm_answer
        self._answered |= (s.told >= 0) & ~offer[:, None]
        self._wanted |= s.wanted[:, None] == np.arange(s.asked.shape[1])
        self._asked |= s.asked
        self._told |= s.said >= 0
