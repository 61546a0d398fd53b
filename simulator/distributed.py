"""Train a dialogue policy on many processes or machines; the result is the folder that the local training writes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory.ontology import Ontology
from policies.distributed_plan import LANES, UpdatePlan, divisible
from policies.optimize.parameter_server_files import ServerCheckpoints
from policies.optimize.parameter_server_training import Course, Finish, conduct
from policies.optimize.parameter_server_workers import Group, LocalGroup, Sizes
from policies.rule import RulePolicy
from simulator.simulation import SimulationSettings
from simulator.training import CHECKPOINT_SECONDS, VALIDATION_SEED, described, publish, summarise
from simulator.vector_env import DialogueVectorEnv

if TYPE_CHECKING:
    from torch import nn

    from policies.distributed import Judge
    from policies.dqn_config import DQNConfig
    from policies.record import Progress
    from policies.train import Teacher, TrainingEnv

RESUME_FOLDER = "resume_distributed"


@dataclass(frozen=True)
class Spread:
    """Where a training runs: ``sizes`` of its group; ``address`` of a Ray cluster, None for one of this machine's own,
    or "here" for this process alone. ``seconds``, or ``every`` updates, between checkpoints.
    """

    sizes: Sizes = field(default_factory=Sizes)
    address: str | None = None
    lanes: int = LANES
    seconds: float = CHECKPOINT_SECONDS
    every: int | None = None


def dialogue_lane(ontology: Ontology, settings: SimulationSettings, count: int) -> tuple[TrainingEnv, Teacher]:
    """``count`` dialogues, and the rule policy that acts in them at first."""
    env = DialogueVectorEnv(count, ontology, settings=settings)
    rule = RulePolicy(ontology, env.simulation.space)
    return env, lambda: rule.choose(env.simulation.belief, env.action_masks())


def train_policy_distributed(
    ontology: Ontology,
    settings: SimulationSettings,
    directory: str | Path,
    config: DQNConfig,
    spread: Spread,
    *,
    progress: Progress | None = None,
    dialogues: int = 500,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """``train_policy`` on a parameter server: the same files in ``directory`` and the same report, and ``throughput``.

    Environments and batch size are raised to multiples of ``spread.lanes``. ``stop`` ends it early with a checkpoint,
    as does Ctrl-C with the last one; ``resume`` goes on from there, with any number of workers and servers.
    WorkerError where Ray or its address isn't there; ServerCheckpointError where the checkpoint is of another training.
    """
    from policies.distributed import Judge, first_parameters
    from policies.dqn import NetworkPolicy, default_network
    from policies.record import Record

    directory, began = Path(directory), time.perf_counter()
    plan = UpdatePlan(divisible(config, spread.lanes), spread.lanes)
    env = DialogueVectorEnv(1, ontology, settings=settings)
    inputs, actions = env.featurizer.size, env.simulation.space.size
    parameters = first_parameters(plan, inputs, actions)
    group = _group(plan, partial(dialogue_lane, ontology, settings), (inputs, actions), parameters, spread)
    try:
        if not resume:
            shutil.rmtree(directory / "tensorboard", ignore_errors=True)

        def evaluate(network: nn.Module) -> Mapping[str, float]:
            return summarise(NetworkPolicy(network, env.featurizer), ontology, settings, dialogues, VALIDATION_SEED)

        directory.mkdir(parents=True, exist_ok=True)
        network = default_network(inputs, actions, plan.config)
        record = Record(
            network, evaluate, plan.config.steps, progress, directory / "metrics.jsonl", directory / "tensorboard"
        )
        judge = Judge(plan, network, record)
        about = {**asdict(plan.config), **described(ontology, settings), "lanes": plan.lanes}
        about["synchronous"] = spread.sizes.staleness is None
        checkpoints = ServerCheckpoints(directory / RESUME_FOLDER, about)
        course = Course(plan.updates, plan.rate, spread.every, spread.seconds)
        finish = conduct(group, course, judge, checkpoints, resume=resume, stop=stop)
        if not record.result.history:
            judge.evaluate(group)
    finally:
        group.close()
    record.close()
    record.result.interrupted = finish.interrupted
    report = publish(record.result, env, directory, plan.config, dialogues)
    if not finish.interrupted:
        checkpoints.clear()
    report["throughput"] = throughput(plan, spread.sizes, finish, judge)
    return {**report, "recoveries": finish.recoveries, "seconds": time.perf_counter() - began}


def throughput(plan: UpdatePlan, sizes: Sizes, finish: Finish, judge: Judge) -> dict[str, float]:
    """Updates, transitions and turns a second, all and for each worker, and where a worker's milliseconds went."""
    updates, seconds = max(finish.updates, 1), max(finish.seconds, 1e-9)
    played = [plan.env_steps(update - 1) if update else 0 for update in (finish.first, finish.last)]
    transitions = finish.updates * plan.config.batch_size / seconds
    return {
        "workers": sizes.workers,
        "servers": sizes.servers,
        "updates": finish.updates,
        "updates_per_second": finish.updates / seconds,
        "transitions_per_second": transitions,
        "transitions_per_second_and_worker": transitions / sizes.workers,
        "turns_per_second": (played[1] - played[0]) * plan.config.num_envs / seconds,
        **{f"{name}_ms": 1e3 * judge.totals.get(f"{name}_seconds", 0.0) / updates for name in ("act", "draw", "learn")},
        "update_ms": 1e3 * seconds / updates,
        "checkpoint_seconds": finish.checkpoint_seconds,
    }


def _group(plan: UpdatePlan, make_env: Any, shape: tuple[int, int], parameters: Any, spread: Spread) -> Group:
    from policies.distributed import dqn_program, server_settings

    sizes = spread.sizes
    program = dqn_program(plan, make_env, *shape, asynchronous=sizes.staleness is not None)
    if spread.address == "here":
        return LocalGroup(program, parameters, server_settings(plan), sizes)
    from policies.optimize.parameter_server_ray import RayGroup

    return RayGroup(program, parameters, server_settings(plan), sizes, address=spread.address)
