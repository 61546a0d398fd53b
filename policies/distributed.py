"""Deep Q-learning on a parameter server (Nair et al. 2015, "Massively parallel methods for deep RL").

The environments are divided into lanes. A worker plays its lanes with the parameters that it pulled, sends their steps
to the replay's shards, draws its share of the batch there and pushes the gradient; the servers clip, move the
parameters and let the target network (their slow copy) follow. Synchronously, the result is the same for any number of
workers, servers and shards up to rounding. Needs torch; ``policies.optimize`` holds the servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from memory.turn import FloatArray
from policies.distributed_plan import UpdatePlan
from policies.dqn import DQN
from policies.exploration import EpsilonGreedy, Schedule
from policies.masked import check_finite
from policies.optimize.parameter_server import ServerSettings, Vector
from policies.optimize.parameter_server_workers import Ask, Gradient, Group, PartStates, Program
from policies.record import Record
from policies.replay_sharded import ReplayShard, ReplayStep, Request, joined_batches
from policies.resume import Resumable, ResumeError, State, pack_json, pack_rng, part, prefixed, restore_rng, unpack_json
from policies.train import Teacher, TrainingEnv

MakeEnv = Callable[[int], tuple[TrainingEnv, Teacher | None]]
"""Makes so many environments, and who acts in them during spiking (None: random actions); travels to the workers."""

_RANDOM = EpsilonGreedy(Schedule(1.0, 1.0))
_EXPLORE, _BOOTSTRAP, _UPDATE_NOISE, _ACT_NOISE, _DRAW = range(5)
"""What a random stream is for; the streams belong to lanes, updates or steps, never to workers."""


def server_settings(plan: UpdatePlan) -> ServerSettings:
    """What the local learner does with a gradient: clip, Adam, and the target network follows."""
    return ServerSettings(optimizer="adam", clip=plan.config.gradient_clip, average=plan.config.tau)


def first_parameters(plan: UpdatePlan, inputs: int, actions: int) -> Vector:
    """(d,) the weights with which a run begins, those of the local learner."""
    return flat(DQN(inputs, actions, plan.config).network)


def dqn_program(plan: UpdatePlan, make_env: MakeEnv, inputs: int, actions: int, *, asynchronous: bool) -> Program:
    """The run as workers and replay shards.

    Where ``asynchronous``, each update is one worker's, whose batch is whole and comes from its own lanes.
    """

    def worker(parts: Sequence[int], ask: Ask) -> DQNWorker:
        return DQNWorker(plan, make_env, inputs, actions, parts, ask, whole_batches=asynchronous)

    def store(parts: Sequence[int]) -> ReplayShard:
        return ReplayShard(plan.config, plan.lanes, inputs, actions, parts)

    return Program(plan.lanes, worker, store)


class GradientDQN(DQN):
    """The local learner up to its gradient: whoever has the optimiser moves the weights."""

    def _descend(self, loss: torch.Tensor) -> None:
        check_finite(self.updates, loss=loss.detach())
        self.network.zero_grad()
        torch.autograd.backward(loss)
        self.figures = {"loss": float(loss.item())}

    def gradient(self) -> Vector:
        """(d,) of the last ``update``."""
        pieces = [
            (weight.grad if weight.grad is not None else torch.zeros_like(weight)).flatten()
            for weight in self.network.parameters()
        ]
        vector: Vector = torch.cat(pieces).cpu().numpy()
        return vector


class Lane:
    """One share of the environments: where they are, and everything random about them."""

    def __init__(self, number: int, plan: UpdatePlan, make_env: MakeEnv) -> None:
        c = plan.config
        share = c.num_envs // plan.lanes
        self.env, self.teacher = make_env(share)
        self.explore = np.random.default_rng([c.seed, 3, _EXPLORE, number])
        self.bootstrap = np.random.default_rng([c.seed, 3, _BOOTSTRAP, number])
        self.features, _ = self.env.reset(seed=c.seed + number * share)
        self.masks = self.env.action_masks()
        self.began = np.ones(share, dtype=np.bool_)
        self.explorer = c.explorer()
        self.steps: list[ReplayStep] = []
        self.step = 0
        self.errors: FloatArray | None = None

    def act(self, values: FloatArray, plan: UpdatePlan, update: int) -> None:
        """One step of all its environments before ``update``; ``values`` (E, K, A) of their features."""
        c = plan.config
        if self.step < c.spike_steps and self.teacher is not None:
            actions = self.teacher()
        else:
            explorer = _RANDOM if self.step < c.spike_steps else self.explorer
            chosen = explorer.act(values, self.masks, c.progress(self.step), self.explore, self.began)
            actions = chosen.actions
        following, reward, terminated, truncated, _ = self.env.step(actions)
        check_finite(update, rewards=reward, features=following)
        done = terminated | truncated
        heads = self.bootstrap.random((len(done), c.heads)) < c.head_probability if c.heads > 1 else None
        scaled = np.asarray(np.float32(c.reward_scale) * reward, dtype=np.float32)
        self.steps.append(ReplayStep(self.features, self.masks, actions, scaled, done, heads))
        self.features, self.masks, self.began = following, self.env.action_masks(), done
        self.step += 1

    def state(self) -> State:
        """Between two updates, when all steps are in the replay; ResumeError where the environment can't tell its."""
        if not isinstance(self.env, Resumable):
            raise ResumeError(f"{type(self.env).__name__} has no state() and load_state(): it can't be trained so")
        return {
            **prefixed("env", self.env.state()),
            **prefixed("explorer", self.explorer.state()),
            "explore": pack_rng(self.explore),
            "bootstrap": pack_rng(self.bootstrap),
            "features": self.features.copy(),
            "masks": self.masks.copy(),
            "began": self.began.copy(),
            "step": np.array(self.step),
            "errors": np.zeros(0, dtype=np.float32) if self.errors is None else self.errors.copy(),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Resumable``."""
        assert isinstance(self.env, Resumable)
        self.env.load_state(part("env", state))
        self.explorer.load_state(part("explorer", state))
        restore_rng(self.explore, state["explore"])
        restore_rng(self.bootstrap, state["bootstrap"])
        self.features, self.masks, self.began = (state[name].copy() for name in ("features", "masks", "began"))
        self.step, self.steps = int(state["step"]), []
        self.errors = state["errors"].copy() if len(state["errors"]) else None


class DQNWorker:
    """See ``parameter_server_workers.Worker``: plays its lanes and computes the gradient of its share of the batch."""

    def __init__(
        self, plan: UpdatePlan, make_env: MakeEnv, inputs: int, actions: int, parts: Sequence[int], ask: Ask,
        *, whole_batches: bool,
    ) -> None:  # fmt: skip
        torch.set_num_threads(plan.config.threads)
        self.plan, self.ask = plan, ask
        self.lanes = {number: Lane(number, plan, make_env) for number in parts}
        self.learner = GradientDQN(inputs, actions, plan.config)
        self.share = -(-plan.config.batch_size // len(parts)) if whole_batches else plan.config.batch_size // plan.lanes

    def gradient(self, update: int, parameters: Vector, average: Vector) -> Gradient:
        """See ``Worker``; FloatingPointError, naming what, where a number isn't finite."""
        began = time.perf_counter()
        self.learner.updates = update
        put(self.learner.network, parameters)
        put(self.learner.target, average)
        while next(iter(self.lanes.values())).step < self.plan.env_steps(update):
            self._play()
        acted = time.perf_counter()
        progress, seed = self.plan.progress(update), self.plan.config.seed
        requests = {
            number: Request(tuple(lane.steps), self.share, (seed, 3, _DRAW, update, number), progress, lane.errors)
            for number, lane in self.lanes.items()
        }
        answers = self.ask("exchange", requests)
        drawn = time.perf_counter()
        batch = joined_batches([answers[number] for number in self.lanes])
        self.learner.noise = np.random.default_rng([seed, 3, _UPDATE_NOISE, update])
        taught = update < self.plan.config.pretrain_updates and next(iter(self.lanes.values())).teacher is not None
        self.learner.update(batch, progress, self.plan.config.margin if taught else 0.0)
        for place, lane in enumerate(self.lanes.values()):
            lane.steps = []
            if self.plan.config.prioritized:
                lane.errors = self.learner.errors[place * self.share : (place + 1) * self.share]
        seconds = {"act_seconds": acted - began, "draw_seconds": drawn - acted}
        seconds["learn_seconds"] = time.perf_counter() - drawn
        return Gradient(self.learner.gradient(), float(len(batch.actions)), {**self.learner.figures, **seconds})

    def state(self) -> PartStates:
        """See ``Worker``: of its lanes; weights and moments are the servers'."""
        return {number: lane.state() for number, lane in self.lanes.items()}

    def load_state(self, states: Mapping[int, State]) -> None:
        """See ``Worker``."""
        for number, state in states.items():
            self.lanes[number].load_state(state)

    def _play(self) -> None:
        """One step of all lanes, whose values come from one pass of the network."""
        lanes = list(self.lanes.values())
        step = lanes[0].step
        self.learner.noise = np.random.default_rng([self.plan.config.seed, 3, _ACT_NOISE, step])
        values = self.learner.values(np.concatenate([lane.features for lane in lanes]))
        for lane, own in zip(lanes, np.split(values, len(lanes)), strict=True):
            lane.act(own, self.plan, self.learner.updates)


@dataclass
class Judge:
    """See ``parameter_server_training.Driver``: evaluates the network when it is time and keeps the best."""

    plan: UpdatePlan
    network: nn.Module
    record: Record

    def __post_init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._update = 0
        self.totals: dict[str, float] = {}

    def until(self, update: int) -> int:
        """See ``Driver``."""
        return self.plan.evaluation(update)

    def reached(self, update: int, figures: list[dict[str, float]], group: Group) -> None:
        """See ``Driver``."""
        for row in figures:
            for name, value in (*row.items(), ("updates", 1.0)):
                self._sums[name] = self._sums.get(name, 0.0) + value
                self.totals[name] = self.totals.get(name, 0.0) + value
        self._update = update
        if self.plan.evaluated(update):
            self.evaluate(group)

    def evaluate(self, group: Group) -> None:
        """Evaluate and write down the network as it is, with the means of the figures since the last time."""
        put(self.network, group.pull().parameters)
        count = max(self._sums.get("updates", 0.0), 1.0)
        means = {name: self._sums.get(name, 0.0) / count for name in ("loss", "gradient_norm", "value", "td_error")}
        self._sums.clear()
        last = max(self._update - 1, 0)
        explored = self.plan.config.explorer().figures(self.plan.progress(last))
        self.record.take(self.plan.env_steps(last), {**means, **explored})

    def state(self) -> State:
        """See ``Driver``."""
        return {**prefixed("record", self.record.state()), "sums": pack_json([self._sums, self._update])}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """See ``Driver``."""
        self.record.load_state(part("record", state))
        self._sums, self._update = unpack_json(state["sums"])


def flat(network: nn.Module) -> Vector:
    """(d,) all parameters, in the network's order."""
    vector: Vector = parameters_to_vector(network.parameters()).detach().cpu().numpy().copy()
    return vector


@torch.no_grad()
def put(network: nn.Module, parameters: Vector) -> None:
    """The reverse of ``flat``; ``parameters`` (d,) isn't shared with the network."""
    device = next(iter(network.parameters())).device
    vector_to_parameters(torch.from_numpy(parameters.copy()).to(device), network.parameters())
