"""A network that reads every slot with the same weights, so that it runs on any ontology (torch; training only).

The idea of domain-independent parametrisation (Wang et al. 2015) and of feudal and graph policies (Casanueva et al.
2018, Chen et al. 2018): what is learned about asking for, confirming and choosing a value in one slot holds for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from policies.networks import HeadedNetwork


@dataclass(frozen=True, slots=True)
class SlotLayout:
    """How a feature vector and the actions divide: ``general`` numbers, then ``per_slot`` for each of ``slots``;
    ``slot_actions`` actions about each slot, then ``general_actions``."""

    general: int
    per_slot: int
    slots: int
    slot_actions: int = 3
    general_actions: int = 7

    @property
    def inputs(self) -> int:
        """n_in."""
        return self.general + self.slots * self.per_slot

    @property
    def actions(self) -> int:
        """A."""
        return self.slots * self.slot_actions + self.general_actions


class SlotSharedNetwork(HeadedNetwork):
    """Q(s, a) = V(s) + A(s, a) - mean_a A(s, a), equivariant to the order of slots.

    Features (B, n_in) -> values (B, A). Each slot is embedded, meets the mean and the maximum of all slots and the
    general features, and yields its actions' advantages; pooled again, the slots yield the general ones and V.
    ``heads`` K > 1 value functions on the shared body (Osband et al. 2016); ``forward`` is their mean.
    """

    def __init__(self, layout: SlotLayout, width: int = 64, heads: int = 1) -> None:
        super().__init__()
        self.layout, self.width, self.count = layout, width, heads
        self.general = nn.Sequential(nn.Linear(layout.general, width), nn.ReLU())
        self.slot = nn.Sequential(nn.Linear(layout.per_slot, width), nn.ReLU())
        self.own = nn.Linear(width, width)
        self.around = nn.Linear(3 * width, width, bias=False)
        self.top = nn.Sequential(nn.Linear(3 * width, 2 * width), nn.ReLU())
        self.slot_advantage = nn.Linear(width, heads * layout.slot_actions)
        self.general_advantage = nn.Linear(2 * width, heads * layout.general_actions)
        self.value = nn.Linear(2 * width, heads)

    def on(self, slots: int) -> SlotSharedNetwork:
        """The same weights for an ontology with another number of slots."""
        moved = SlotSharedNetwork(replace(self.layout, slots=slots), self.width, self.count)
        moved.load_state_dict(self.state_dict())
        return moved

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, n_in) -> (B, A): the mean over the heads."""
        return self.heads(features).mean(dim=(1, 3))

    def heads(self, features: torch.Tensor) -> torch.Tensor:
        """(B, n_in) -> (B, K, A, 1)."""
        layout, batch = self.layout, len(features)
        general = self.general(features[:, : layout.general])
        slots = self.slot(features[:, layout.general :].reshape(batch, layout.slots, layout.per_slot))
        around = self.around(torch.cat([general, slots.mean(dim=1), slots.amax(dim=1)], dim=1))
        slots = torch.relu(self.own(slots) + around[:, None])
        top = self.top(torch.cat([general, slots.mean(dim=1), slots.amax(dim=1)], dim=1))
        about_slots = self.slot_advantage(slots).view(batch, layout.slots, self.count, layout.slot_actions)
        about_slots = about_slots.permute(0, 2, 1, 3).reshape(batch, self.count, -1)
        others = self.general_advantage(top).view(batch, self.count, -1)
        advantage = torch.cat([about_slots, others], dim=2)
        values: torch.Tensor = self.value(top)[:, :, None] + advantage - advantage.mean(dim=2, keepdim=True)
        return values[..., None]
