"""Where each probability of a person stands in ``State.traits``: the order of ``UserRanges``."""

from __future__ import annotations

from simulator.pydial.tables import PROBABILITIES

(
    P_MORE, P_AFFIRM_MORE, P_ADD_REQUEST, P_NO, P_YES, P_GREET, P_RELAX, P_TELL, P_PENDING, P_NAME, P_BARE,
    P_TO_CONFIRM, P_AFFIRM_ITEM, P_OVERRULE, P_CONFIRM_RANDOM, P_ALTERNATIVES, P_CHANGE, P_REPEAT, P_DONTCARE,
    P_NEGATE, P_DENY, P_THANK, P_ACK,
) = range(len(PROBABILITIES))  # fmt: skip
