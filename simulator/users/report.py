"""The report on fitted users: held-out likelihood, the dialogues they lead to, and pictures of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simulator.corpora.dialogues import CorpusDialogue, CorpusError, fingerprint
from simulator.goal import Task
from simulator.simulation import SimulationSettings
from simulator.user_parameters import UserParameters
from simulator.users.fitted import FittedUser
from simulator.users.judge import (
    Conversations,
    compare,
    generated,
    lengths,
    noise_floor,
    people,
    recorded,
)
from simulator.users.network import UserNetwork
from simulator.users.plots import plot_acts, plot_turns
from simulator.users.predict import SAMPLES, AgendaPredictor, NetworkPredictor, Predictor, Unigram
from simulator.users.replay import Replay

GENERATED = 1000
"""Simulated dialogues per kind of user."""

Stage = Callable[[str], None]


def report_on_users(
    training: Sequence[CorpusDialogue],
    held_out: Sequence[CorpusDialogue],
    fitted: FittedUser,
    network: Path | None,
    folder: Path,
    *,
    samples: int = SAMPLES,
    dialogues: int = GENERATED,
    stage: Stage = lambda _: None,
) -> dict[str, Any]:
    """Judge users fitted on ``training`` by ``held_out`` dialogues; writes turns.png and acts.png into ``folder``.

    ``network`` is the folder of a learned user, if there is one; ``samples`` per turn estimate an agenda's chances,
    ``dialogues`` are generated with each kind of user. Compared are a unigram, the hand-set agenda
    (``UserParameters.sampled``), the fitted agenda and the learned user. Generated dialogues are those with the rule
    policy, no errors and the fitted goals, for all kinds of users. CorpusError when no held-out dialogue has turns.
    """
    replay = Replay(held_out)
    if not replay.dialogues:
        raise CorpusError("no held-out dialogue has turns: there is nothing to judge users by")
    hand = UserParameters.sampled()
    models: dict[str, Predictor] = {
        "unigram": Unigram(Replay(training)),
        "hand-set agenda": AgendaPredictor(hand, replay, samples),
        "fitted agenda": AgendaPredictor(fitted.parameters, replay, samples),
    }
    settings = {"hand-set agenda": _settings(fitted, replay, hand), "fitted agenda": _settings(fitted, replay, None)}
    if network is not None:
        models["learned"] = NetworkPredictor(UserNetwork.load(network), replay)
        settings["learned"] = _settings(fitted, replay, None, str(network))
    stage("likelihood of held-out dialogues")
    scores = compare(models, replay)
    stage("simulated dialogues")
    truth = recorded(replay)
    looks = {name: generated(replay.ontology, setting, dialogues) for name, setting in settings.items()}
    stage("pictures")
    shown: dict[str, Conversations] = {"recorded": truth, **looks}
    plot_turns(shown, folder / "turns.png")
    plot_acts(shown, folder / "acts.png")
    return {
        "held_out": {
            "dialogues": len(replay.dialogues), "turns": int(replay.turns.sum()), "fingerprint": fingerprint(held_out),
            "mean_turns": float(replay.turns.mean()), "goal_change": truth.goal_change,
        },
        "samples_per_turn": samples,
        "turns": {name: {k: asdict(v) for k, v in score.items()} for name, score in scores.items()},
        "dialogues": lengths(looks, truth),
        "ks_noise": noise_floor([len(replay.dialogues), dialogues]),
        "acts": {name: dict(look.acts) for name, look in shown.items()},
        "how_people_differ": people(fitted, replay),
    }  # fmt: skip


def _settings(
    fitted: FittedUser, replay: Replay, parameters: UserParameters | None, user: str = "agenda"
) -> SimulationSettings:
    task = fitted.task(replay.ontology, Task({}))
    return SimulationSettings(task, parameters or fitted.parameters, user=user)
