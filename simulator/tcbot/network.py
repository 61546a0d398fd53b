"""A network for what ``History`` sees that reads every slot of the table with the same weights (needs torch)."""

from __future__ import annotations

import torch

from policies.networks import HeadedNetwork
from policies.slot_shared import SlotLayout, SlotSharedNetwork
from simulator.tcbot.actions import ACTIONS, TABLE_SLOTS
from simulator.tcbot.history import FACTS, SLOT_FACTS

GROUPS = 7
"""How often each slot occurs in the state vector."""


class MovieNetwork(HeadedNetwork):
    """``SlotSharedNetwork`` on rearranged features; each slot also carries its name, one-hot.

    Features (B, n_in), those of ``History``, -> values (B, 43), in TC-Bot's orders; ``size`` is that of the state
    vector, which comes first. What it says about slots outside the table, and everything about no slot, are the
    general features.
    """

    about: torch.Tensor
    others: torch.Tensor
    names: torch.Tensor
    order: torch.Tensor

    def __init__(
        self, acts: tuple[str, ...], slots: tuple[str, ...], size: int, width: int = 64, heads: int = 1
    ) -> None:
        super().__init__()
        where, count = _where(acts, slots, size), len(TABLE_SLOTS)
        about = torch.tensor(
            [[group[slots.index(slot)] for group in where] + [size + k * count + n for k in range(SLOT_FACTS)]
             for n, slot in enumerate(TABLE_SLOTS)]
        )  # fmt: skip
        used, size = set(about.flatten().tolist()), size + SLOT_FACTS * count + FACTS
        self.register_buffer("about", about, persistent=False)
        general = [index for index in range(size) if index not in used]
        self.register_buffer("others", torch.tensor(general), persistent=False)
        self.register_buffer("names", torch.eye(count), persistent=False)
        layout = SlotLayout(len(general), GROUPS + SLOT_FACTS + count, count, 2, len(ACTIONS) - 2 * count)
        self.shared = SlotSharedNetwork(layout, width, heads)
        self.register_buffer("order", torch.tensor(_order()), persistent=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, n_in) -> (B, 43): the mean over the heads."""
        return self.heads(features).mean(dim=(1, 3))

    def heads(self, features: torch.Tensor) -> torch.Tensor:
        """(B, n_in) -> (B, K, 43, 1)."""
        slots = features[:, self.about]
        named = torch.cat([slots, self.names.expand(len(features), -1, -1)], dim=2)
        arranged = torch.cat([features[:, self.others], named.flatten(1)], dim=1)
        return self.shared.heads(arranged)[:, :, self.order]


def _where(acts: tuple[str, ...], slots: tuple[str, ...], size: int) -> list[list[int]]:
    """Where each of the seven groups of the state vector keeps each slot; see ``tracker.state_vector``."""
    a, s = len(acts), len(slots)
    starts = (a, a + s, 2 * a + 2 * s, 2 * a + 3 * s, 2 * a + 4 * s, size - 2 * (s + 1), size - (s + 1))
    return [[start + slot for slot in range(s)] for start in starts]


def _order() -> list[int]:
    """Number of each of TC-Bot's actions in the slot-shared order: (inform, request) of each slot, then the others."""
    shared = [(act, slot) for slot in TABLE_SLOTS for act in ("inform", "request")]
    others = [action for action in ACTIONS if action not in shared]
    return [(shared + others).index(action) for action in ACTIONS]
