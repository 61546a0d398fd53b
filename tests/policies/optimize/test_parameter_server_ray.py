"""On a Ray cluster of two nodes, a node or an actor killed: the numbers of one process all the same."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policies.optimize.parameter_server import ServerSettings, Vector
from policies.optimize.parameter_server_training import Course, conduct
from policies.optimize.parameter_server_workers import Group, LocalGroup, Sizes
from policies.optimize.ray_connection import WorkerError
from policies.optimize.space import Dimension
from tests.policies.optimize.served import PROGRAM, SIZE, Onlooker
from tests.policies.optimize.tried import stepping, troublesome

installed = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs rejoinder[ray]")

START = np.zeros(SIZE, dtype=np.float32)
SETTINGS = ServerSettings(clip=5.0)
COURSE = Course(30, lambda update: 0.1, every=10)


class Watched(Onlooker):
    """Does something once, after 15 updates."""

    def __init__(self, do: Callable[[], None]) -> None:
        super().__init__()
        self.do = do

    def reached(self, update: int, figures: list[dict[str, float]], group: Group) -> None:
        super().reached(update, figures, group)
        if update == 15:
            do, self.do = self.do, lambda: None
            do()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    import ray
    from ray.cluster_utils import Cluster

    memory = 80 * 2**20
    head = {"num_cpus": 1, "object_store_memory": memory, "include_dashboard": False}
    try:
        nodes = Cluster(initialize_head=True, head_node_args=head)
        nodes.add_node(num_cpus=1, object_store_memory=memory)
        ray.init(address=nodes.address, log_to_driver=False, configure_logging=False)
    except Exception as error:
        pytest.skip(f"Ray did not start in time: {error}")
    yield nodes
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture(scope="module")
def expected() -> Vector:
    group = LocalGroup(PROGRAM, START, SETTINGS, Sizes(2, 2, 1))
    conduct(group, COURSE, Onlooker())
    return group.pull().parameters


@installed
def test_killed_servers_workers_and_nodes_cost_time_and_nothing_else(cluster: Any, expected: Vector) -> None:
    import ray

    from policies.optimize.parameter_server_ray import RayGroup

    group = RayGroup(PROGRAM, START, SETTINGS, Sizes(2, 2, 1))
    try:
        assert len({node for nodes in group.nodes().values() for node in nodes}) == 2
        doomed = [node for node in cluster.list_all_nodes() if node is not cluster.head_node]
        kills: list[Callable[[], None]] = [
            lambda: None,
            lambda: ray.kill(group._servers[1]),
            lambda: ray.kill(group._workers[0]),
            lambda: ray.kill(group._stores[0]),
            lambda: cluster.remove_node(doomed[0], allow_graceful=False),
        ]
        beginning = group.snapshot()
        for number, kill in enumerate(kills):
            group.recover(beginning)
            onlooker = Watched(kill)
            finish = conduct(group, COURSE, onlooker)
            assert bool(finish.recoveries) == bool(number), finish.recoveries
            assert (group.pull().parameters == expected).all()
            assert len(onlooker.losses) == COURSE.updates
    finally:
        group.close()


@installed
def test_stale_updates_are_all_applied_and_no_later_than_promised(cluster: Any) -> None:
    from policies.optimize.parameter_server_ray import RayGroup

    sizes = Sizes(3, 2, 2, staleness=1)
    group = RayGroup(PROGRAM, START, SETTINGS, sizes)
    try:
        onlooker = Onlooker()
        conduct(group, Course(40, lambda update: 0.1), onlooker)
        assert group.pull().updates == len(onlooker.losses) == len(group.delays) == 40
        assert max(group.delays) <= (2 * 1 + 1) * (sizes.workers - 1)
        assert onlooker.losses[-1] < onlooker.losses[0]
        with pytest.raises(FloatingPointError, match="update 10000"):
            group.advance(10_000, [0.1])
    finally:
        group.close()


def test_without_ray_and_without_a_cluster_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from policies.optimize.parameter_server_ray import RayGroup

    if importlib.util.find_spec("ray") is not None:
        import ray

        monkeypatch.setattr(ray, "is_initialized", lambda: False)
        with pytest.raises(WorkerError, match=r"127.0.0.1:1 doesn't answer.*go without --distributed"):
            RayGroup(PROGRAM, START, SETTINGS, Sizes(), address="ray://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(WorkerError, match=r"rejoinder\[ray\].*go without --distributed"):
        RayGroup(PROGRAM, START, SETTINGS, Sizes())


@installed
def test_trials_on_ray_survive_what_they_do_and_are_run_again_when_a_worker_is_killed(
    cluster: Any, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    from policies.optimize.trial_ray import TrialActor
    from policies.optimize.tuning import TuningPlan, tune

    plan = TuningPlan("grid", trials=6, workers=2, seconds=3)
    space = (Dimension("n", 1, 5, whole=True),)
    trials = tune(troublesome, space, {"n": 5}, plan, tmp_path / "trials.log", {}, bench=TrialActor)
    why = {int(trial.setting["n"]): trial.why for trial in trials}
    assert why[1] == "its value is nan"
    assert why[2].startswith("its worker died 3 times")
    assert why[3] == "not done after 3 s: it was stopped"
    assert why[4] == "ZeroDivisionError: by the slot count"
    assert why[5] == ""
    bench = TrialActor(stepping)
    asked: list[int] = []

    def kill_once(step: int, value: float) -> bool:
        asked.append(step)
        if len(asked) == 2:
            bench._ray.kill(bench._actor)
        return len(asked) == 5

    assert bench.attempt({"x": 0.5}, 60, lambda step, value: False) == (0.5, "")
    assert bench.attempt({"x": 0.5}, 60, kill_once) == (None, "")
    assert asked == [0, 1, 0, 1, 2]
    bench.end()
