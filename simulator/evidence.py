"""Raw observations of our own dialogues: what was heard in the last turn and no belief, so that a policy must remember.

The actions and their masks still come from the belief: ``confirm_food`` means the most probable food. Only what the
policy sees is different.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from memory.belief import BeliefState
from memory.ontology import IntArray, Ontology
from memory.turn import FLOW_ACTS, SYSTEM_KINDS, FloatArray, UserEvidence
from simulator.channel import NoiseChannel
from simulator.goal import Task
from simulator.simulation import SimulationSettings
from simulator.user_turn import UserTurn
from simulator.vector_env import DialogueVectorEnv, resolve_world


class LastHeard:
    """What was last heard in each of B dialogues."""

    def __init__(self, ontology: Ontology, batch: int) -> None:
        self.evidence = UserEvidence.empty(ontology, batch)

    def keep(self, evidence: UserEvidence, rows: IntArray) -> None:
        """Replace what was heard in ``rows``."""
        for field in fields(UserEvidence):
            getattr(self.evidence, field.name)[rows] = getattr(evidence, field.name)


class RememberingChannel(NoiseChannel):
    """A noise channel that keeps what is heard through it in ``last``."""

    last: LastHeard

    def hear(self, turn: UserTurn, model: IntArray, rows: IntArray | None = None) -> UserEvidence:
        """See ``NoiseChannel.hear``."""
        evidence = super().hear(turn, model, rows)
        self.last.keep(evidence, np.arange(len(model), dtype=np.int32) if rows is None else rows)
        return evidence


class EvidenceFeaturizer:
    """The last turn only: marginal probabilities of what the user said, and what the system had done before.

    Values informed and denied, requests, acts without a value, open slots, a venue by name, the previous system
    turn's kind and slot. ``last`` is where a ``RememberingChannel`` keeps what it hears.
    """

    kind = "evidence"

    def __init__(self, ontology: Ontology, last: LastHeard) -> None:
        self._last = last
        self._slots = max(len(ontology.slots), len(ontology.open_slots))
        heard = 2 * ontology.num_values + len(ontology.requestable) + len(FLOW_ACTS) + len(ontology.open_slots) + 1
        self.size = heard + len(SYSTEM_KINDS) + self._slots

    def __call__(self, belief: BeliefState) -> FloatArray:
        """(B, size) float32; of ``belief`` only the previous system turn is read."""
        heard, last = self._last.evidence, belief.last
        return np.concatenate(
            [
                heard.inform,
                heard.deny,
                heard.request,
                heard.flow,
                heard.open_confidence,
                heard.venue_confidence[:, None],
                last.kind[:, None] == np.arange(len(SYSTEM_KINDS)),
                last.slot[:, None] == np.arange(self._slots),
            ],
            axis=1,
            dtype=np.float32,
        )


def evidence_env(
    num_envs: int = 1,
    ontology: Ontology | None = None,
    task: Task | None = None,
    settings: SimulationSettings | None = None,
) -> DialogueVectorEnv:
    """A ``DialogueVectorEnv`` (same arguments, same dialogues for a seed) that shows only the last turn."""
    ontology, settings = resolve_world(ontology, task, settings)
    last = LastHeard(ontology, num_envs)
    env = DialogueVectorEnv(num_envs, ontology, settings=settings, featurizer=EvidenceFeaturizer(ontology, last))
    random = env.simulation.channel.random
    channel = RememberingChannel(ontology, settings.errors, settings.task.open_values, random)
    channel.last = last
    env.simulation.channel = channel
    return env
