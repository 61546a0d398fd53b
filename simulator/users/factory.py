"""Which simulated users take part: the agenda's, or learned ones from a folder."""

from __future__ import annotations

from collections.abc import Sequence

from memory.ontology import Ontology
from simulator.goal import Task
from simulator.user_agenda import AgendaUsers
from simulator.user_parameters import UserParameters

AGENDA = "agenda"


def build_users(
    ontology: Ontology, task: Task, seeds: Sequence[int], parameters: UserParameters | None, user: str = AGENDA
) -> AgendaUsers:
    """One user per seed. ``user`` is "agenda", or the folder of a learned user (LearnedUserError if it is none)."""
    if user == AGENDA:
        return AgendaUsers(ontology, task, seeds, parameters)
    from simulator.users.learned import LearnedUsers
    from simulator.users.network import UserNetwork

    return LearnedUsers(ontology, task, seeds, parameters, UserNetwork.load(user))
