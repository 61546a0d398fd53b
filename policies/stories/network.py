"""The network of a story policy: attention of the present state over those before it (torch; training only).

One head of scaled dot-product attention (Vaswani et al. 2017, equation 1) whose only query is the present state:
what was said in a digression can be left out of account by giving it no weight.
"""

from __future__ import annotations

import math

import torch
from torch import nn

ABSENT = -1e9
"""Attention logit of a state before the beginning."""


class StoryNetwork(nn.Module):
    """Features (B, max_history * width) -> logits (B, actions); ``value`` (B,) is the critic's return.

    ``temperature`` divides the logits; it is 1 while learning and fitted afterwards (Guo et al. 2017).
    """

    temperature: torch.Tensor

    def __init__(self, width: int, max_history: int, actions: int, hidden: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.width, self.max_history, self.hidden = width, max_history, hidden
        self.embed = nn.Linear(width, hidden)
        self.position = nn.Parameter(0.02 * torch.randn(max_history, hidden))
        self.query, self.key, self.attended = (nn.Linear(hidden, hidden, bias=False) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        self.body = nn.Linear(2 * hidden, hidden)
        self.actor = nn.Linear(hidden, actions)
        self.critic = nn.Linear(hidden, 1)
        self.register_buffer("temperature", torch.ones(()))

    def summary(self, features: torch.Tensor) -> torch.Tensor:
        """(B, hidden) what is to be known of the history."""
        states = features.reshape(-1, self.max_history, self.width)
        embedded = self.dropout(torch.relu(self.embed(states) + self.position))
        present = embedded[:, -1]
        scores = (self.key(embedded) * self.query(present)[:, None]).sum(dim=-1) / math.sqrt(self.hidden)
        weights = torch.softmax(scores + ABSENT * (1.0 - states[:, :, 0]), dim=-1)
        read = (weights[:, :, None] * self.attended(embedded)).sum(dim=1)
        return torch.relu(self.body(torch.cat([present, read], dim=-1)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, actions) logits over ``temperature``."""
        logits: torch.Tensor = self.actor(self.summary(features)) / self.temperature
        return logits

    def value(self, features: torch.Tensor) -> torch.Tensor:
        """(B,) the expected return; its gradient leaves the actor's part alone."""
        value: torch.Tensor = self.critic(self.summary(features).detach())[:, 0]
        return value
