"""Versions never change, the pointer moves atomically, and whatever is killed leaves a policy that loads."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.learning.versions import POINTER, PolicyVersions
from bot.learning.watch import PolicyWatcher
from policies.export import ModelError, OnnxPolicy, read_manifest
from policies.policy import Policy
from simulator.small import small_ontology

ROOT = Path(__file__).parents[3]
ONTOLOGY = small_ontology()


def version_of(folder: Path) -> str:
    return read_manifest(folder).sha256[:12]


@pytest.fixture
def versions(exported: list[Path], tmp_path: Path) -> PolicyVersions:
    """A freshly trained policy: the first of the three."""
    return PolicyVersions(shutil.copytree(exported[0], tmp_path / "policy"))


def promote(versions: PolicyVersions, candidate: Path) -> str:
    with versions.staging() as staged:
        shutil.copytree(candidate, staged, dirs_exist_ok=True)
        return versions.publish(staged)


def test_the_trained_policy_is_served_until_something_is_promoted(versions: PolicyVersions) -> None:
    assert versions.served() == versions.directory
    assert versions.pointer().version == versions.base == version_of(versions.directory)


def test_promotions_are_served_and_rolled_back_one_by_one(versions: PolicyVersions, exported: list[Path]) -> None:
    base, (one, two) = versions.base, (promote(versions, folder) for folder in exported[1:])
    assert OnnxPolicy.load(versions.served(), ONTOLOGY).version == two == version_of(exported[2])
    assert versions.pointer().history == (base, one)
    assert versions.rollback() == one
    assert OnnxPolicy.load(versions.served(), ONTOLOGY).version == one
    assert versions.rollback() == base
    assert versions.served() == versions.directory
    with pytest.raises(ModelError, match="nothing to go back to"):
        versions.rollback()


def test_promoting_what_is_served_changes_nothing(versions: PolicyVersions, exported: list[Path]) -> None:
    promote(versions, exported[1])
    before = versions.pointer()
    promote(versions, exported[1])
    assert versions.pointer() == before


def test_after_training_anew_the_new_policy_is_served(versions: PolicyVersions, exported: list[Path]) -> None:
    promote(versions, exported[1])
    shutil.copytree(exported[2], versions.directory, dirs_exist_ok=True)
    assert versions.served() == versions.directory
    assert versions.pointer().history == ()


def test_a_candidate_that_is_not_published_leaves_nothing(versions: PolicyVersions, exported: list[Path]) -> None:
    with versions.staging() as staged:
        shutil.copytree(exported[1], staged, dirs_exist_ok=True)
    assert list(versions.folder.iterdir()) == []
    (versions.folder / ".staged-of-a-killed-run").mkdir()
    with versions.staging() as staged:
        assert [path.name for path in versions.folder.iterdir()] == [staged.name]


def test_a_damaged_pointer_is_named_with_its_remedy(versions: PolicyVersions) -> None:
    (versions.directory / POINTER).write_text('{"version": 3}')
    with pytest.raises(ModelError, match=r"current\.json: not a pointer .* delete it to serve the trained policy"):
        versions.served()


def test_no_trained_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="train the policy first"):
        PolicyVersions(tmp_path).pointer()


def killed_again_and_again(versions: PolicyVersions, exported: list[Path], kills: int, *options: str) -> set[str]:
    """Kill -9 in the middle of promotions; after each kill the served policy must load. Returns the versions seen."""
    command = [sys.executable, "-m", "tests.bot.learning.promote_for_tests", str(versions.directory)]
    pause, seen = random.Random(1), set()
    for _ in range(kills):
        process = subprocess.Popen(
            [*command, *map(str, exported[1:]), *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(pause.uniform(0, 0.05))
        process.kill()
        process.wait()
        process.stdout.close()
        seen.add(OnnxPolicy.load(versions.served(), ONTOLOGY).version)
    return seen


def test_kill_9_during_promotions_leaves_a_policy_that_loads(versions: PolicyVersions, exported: list[Path]) -> None:
    seen = killed_again_and_again(versions, exported, 8)
    assert seen <= {version_of(folder) for folder in exported}
    assert len(seen) > 1, "the kills came before anything was promoted"


def test_writing_over_the_served_files_would_be_noticed(versions: PolicyVersions, exported: list[Path]) -> None:
    with pytest.raises(ModelError):
        killed_again_and_again(versions, exported, 12, "--trap")


def test_the_watcher_installs_what_is_promoted_and_keeps_what_it_has_when_that_fails(
    versions: PolicyVersions, exported: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    installed: list[Policy] = []
    watcher = PolicyWatcher(
        versions, lambda: OnnxPolicy.load(versions.served(), ONTOLOGY), installed.append, versions.base
    )
    assert not watcher.look(), "the version that is served already"
    one = promote(versions, exported[1])
    assert watcher.look()
    assert [policy.version for policy in installed] == [one]
    assert not watcher.look(), "nothing has changed"
    two = promote(versions, exported[2])
    (versions.path(two) / "policy.onnx").write_bytes(b"damaged")
    assert not watcher.look()
    assert "the old one stays" in caplog.text
    versions.rollback()
    assert not watcher.look()
    assert [policy.version for policy in installed] == [one]


def test_the_watcher_thread_notices_within_its_period(versions: PolicyVersions, exported: list[Path]) -> None:
    installed: list[Policy] = []
    watcher = PolicyWatcher(
        versions, lambda: OnnxPolicy.load(versions.served(), ONTOLOGY), installed.append, versions.base, seconds=0.02
    )
    watcher.start()
    promote(versions, exported[1])
    deadline = time.monotonic() + 4
    while not installed and time.monotonic() < deadline:
        time.sleep(0.01)
    watcher.close()
    watcher.close()
    assert [policy.version for policy in installed] == [version_of(exported[1])]
