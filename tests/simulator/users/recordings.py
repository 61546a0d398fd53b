"""Recordings whose speakers we know: simulated users with given numbers, written down as a corpus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from memory.turn import FLOW, system_act
from policies.rule import RulePolicy
from simulator.corpora.dialogues import CorpusDialogue, CorpusTurn, derived_goal
from simulator.corpora.log import system_acts_of
from simulator.goal import Task
from simulator.simulation import DialogueSimulation, SimulationSettings
from simulator.small import small_ontology
from simulator.user_parameters import UserParameters
from simulator.user_turn import user_acts

ONTOLOGY = small_ontology()
TASK = Task({"food": 0.9, "area": 0.6, "pricerange": 0.5}, booking_prior=0.4, unsatisfiable=0.2)
TALKATIVE = replace(
    UserParameters.default(), inform_combination=(0.8, 0.8), greeting=(0.9, 0.9), add_request=(0.7, 0.7),
    bye_when_done=(0.95, 0.95), alternatives_first=(0.05, 0.05), thank=(0.3, 0.3), change_first=(0.02, 0.02),
    constraint_relax=(0.1, 0.1), request_up_front=(0.5, 0.5), patience=(9, 9),
)  # fmt: skip


def record(
    count: int, parameters: UserParameters = TALKATIVE, task: Task = TASK, seed: int = 0, max_turns: int = 25
) -> list[CorpusDialogue]:
    """``count`` dialogues with the rule policy, heard perfectly, ended by a goodbye, or by thanks for everything."""
    settings = SimulationSettings(task, parameters, ends_on_bye=True, max_turns=max_turns)
    simulation = DialogueSimulation(ONTOLOGY, settings, [seed * 1000 + i for i in range(count)])
    policy, rng = RulePolicy(ONTOLOGY, simulation.space), np.random.default_rng(seed)
    turns: list[list[CorpusTurn]] = [[] for _ in range(count)]
    running = np.ones(count, dtype=np.bool_)
    served = np.zeros(count, dtype=np.bool_)
    system = [()] * count
    while running.any():
        for row in np.flatnonzero(running):
            turns[row].append(CorpusTurn(system[row], tuple(user_acts(ONTOLOGY, simulation.user_turn, int(row)))))
        thanks = simulation.user_turn.flow[:, FLOW["thankyou"]] & simulation.users.fulfilled()
        running &= ~((simulation.users.state.goodbyes > 0) | simulation.users.state.hung_up | thanks)
        if not running.any():
            break
        outcome = simulation.step(policy.act(simulation.belief, simulation.masks(), rng).actions)
        system = [system_acts_of(system_act(ONTOLOGY, simulation.belief.last, row)) for row in range(count)]
        served = np.where(running, outcome.fulfilled, served)
        running &= ~outcome.truncated
    goals = [derived_goal(said, ONTOLOGY.open_slots) for said in turns]
    return [CorpusDialogue(f"r{row}", goals[row], tuple(turns[row]), bool(served[row])) for row in range(count)]
