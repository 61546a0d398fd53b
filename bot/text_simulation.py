"""Dialogues through text: simulated users speak in sentences, the NLU hears them, a policy answers.

The same simulated users as at act level; between them and the belief stand the user's words and the real NLU
instead of an error model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bot.assistant import Assistant
from bot.engine import reinterpreted
from bot.nlg.user import UserPhrases
from memory.belief import BeliefState, observe_system, observe_user
from memory.dialogue import NLUResult, SystemAct
from memory.turn import SystemTurn, UserEvidence, evidence_from_acts, stack_evidence, system_act
from policies.actions import ActionSpace
from policies.policy import Policy
from simulator.goal import Task
from simulator.reward import Reward
from simulator.user_agenda import AgendaUsers
from simulator.user_turn import Told, UserTurn, user_acts


class Listener(Protocol):
    """What the simulation needs of an NLU."""

    def parse_batch(self, texts: list[str], previous: list[SystemAct | None]) -> list[NLUResult]:
        """One result per text."""
        ...


@dataclass(slots=True)
class TextOutcome:
    """Per dialogue (B,): success, user turns and reward; ``transcripts`` as (speaker, text) lines."""

    success: list[bool] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    reward: list[float] = field(default_factory=list)
    transcripts: list[list[tuple[str, str]]] = field(default_factory=list)


class TextSimulation:
    """``batch`` dialogues in lockstep through text."""

    def __init__(self, assistant: Assistant, nlu: Listener, task: Task, *, batch: int, seed: int, max_turns: int = 25):
        self.assistant, self.ontology, self.nlu = assistant, assistant.ontology, nlu
        self.space = ActionSpace(assistant.ontology)
        self.phrases = UserPhrases(assistant.user_phrases)
        self.rng = np.random.default_rng(seed)
        self.users = AgendaUsers(assistant.ontology, task, [seed * 1_000_003 + row for row in range(batch)])
        self.max_turns, self.batch = max_turns, batch
        self.values = tuple(
            self._some(self.phrases.open_values(slot), task.open_values) for slot in assistant.ontology.open_slots
        )
        self.heard = [self.values] * batch
        self.transcripts: list[list[tuple[str, str]]] = [[] for _ in range(batch)]

    def _some(self, values: tuple[str, ...], count: int) -> tuple[str, ...]:
        if len(values) < count:
            raise ValueError(
                f"user_phrases.yml has {len(values)} values for an open slot; {count} are needed: add some"
            )
        return tuple(values[i] for i in self.rng.permutation(len(values))[:count])

    def run(self, policy: Policy) -> TextOutcome:
        """Play all dialogues to their end."""
        belief = BeliefState.initial(self.ontology, self.batch)
        turn = self.users.open(np.arange(self.batch, dtype=np.int32))
        belief = observe_user(self.ontology, belief, self._hear(turn, belief))
        rewards, done = np.zeros(self.batch), np.zeros(self.batch, dtype=np.bool_)
        turns, success = np.zeros(self.batch, dtype=int), np.zeros(self.batch, dtype=np.bool_)
        reward = Reward()
        while not done.all():
            output = policy.act(belief, self.space.masks(belief), self.rng)
            system = self.space.ground(belief, output.actions)
            self._note(system, done)
            turn = self.users.react(system, Told.of(self.space.matcher, belief))
            belief = observe_system(self.ontology, belief, system)
            belief = observe_user(self.ontology, belief, self._hear(turn, belief, done))
            ended = self.users.state.hung_up | (belief.turn > self.max_turns)
            fulfilled = self.users.fulfilled()
            rewards += np.where(done, 0, reward(ended, fulfilled))
            turns += ~done
            success |= ended & ~done & fulfilled
            done |= ended
        return TextOutcome(success.tolist(), turns.tolist(), rewards.tolist(), self.transcripts)

    def _note(self, system: SystemTurn, done: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        for row in np.flatnonzero(~done):
            act = system_act(self.ontology, system, int(row))
            details = [d for d in (act.slot, act.value, act.entity, *act.answered) if d]
            self.transcripts[row].append(("bot", f"{act.kind}({', '.join(details)})"))

    def _hear(
        self, turn: UserTurn, belief: BeliefState, done: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
    ) -> UserEvidence:
        rows = np.arange(self.batch) if done is None else np.flatnonzero(~done)
        said = {int(row): user_acts(self.ontology, turn, int(row), self.values) for row in rows}
        texts = {row: self.phrases.sentence(acts, self.rng) for row, acts in said.items() if acts}
        previous = [system_act(self.ontology, belief.last, row) for row in texts]
        results = self.nlu.parse_batch(list(texts.values()), [p if p.kind != "none" else None for p in previous])
        evidence = [UserEvidence.empty(self.ontology, 1)] * self.batch
        for (row, text), result in zip(texts.items(), results, strict=True):
            self.transcripts[row].append(("user", text))
            acts = reinterpreted(result, venue_known=bool(belief.venue[row] >= 0)).acts
            evidence[row], self.heard[row] = evidence_from_acts(self.ontology, acts, self.heard[row])
        return stack_evidence(evidence)
