"""One cycle of online learning: read what was finished, learn on, pass the gate or not, promote; all of it journalled.

    event log -> dialogues -> transitions -> candidate -> gate -> versions/<version> -> current.json -> the server

Two cycles never run at once (a file lock). A cycle that is killed leaves the served policy as it was.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.assistant import Assistant
from bot.config import Config
from bot.errors import CommandError
from bot.learning.experience import ExperienceReader, OutcomeReward, RealDialogue, by_version, transitions
from bot.learning.gate import compare
from bot.learning.versions import PolicyVersions
from bot.task import error_model, task_of
from policies.actions import ActionSpace
from policies.export import OnnxPolicy, read_manifest
from policies.featurizer import Featurizer, build_featurizer
from simulator.simulation import SimulationSettings
from simulator.training import mixed_errors

JOURNAL, LOCK = "learning.jsonl", "learning.lock"
SIMULATED_DIALOGUES = 64
"""Simulated dialogues side by side while it learns on."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class OnlineLearning:
    """Everything a cycle needs of one configured assistant."""

    config: Config
    assistant: Assistant

    @property
    def versions(self) -> PolicyVersions:
        """Of the learned policy."""
        return PolicyVersions(self.config.model_dir / "policy")

    @property
    def settings(self) -> SimulationSettings:
        """The users that candidates practise with and are judged on: those of training."""
        errors = mixed_errors(error_model(self.config), self.config.training.error_rates)
        return SimulationSettings(task_of(self.assistant), errors=errors, max_turns=self.config.training.max_turns)

    def dialogues(self, now: float) -> list[RealDialogue]:
        """Finished dialogues, oldest first; none as long as there is no event log."""
        address = self.config.store_address
        if address == self.config.database and not self.config.database.exists():
            return []
        learning, space = self.config.learning, ActionSpace(self.assistant.ontology)
        reward = OutcomeReward(**learning.rewards.model_dump())
        reader = ExperienceReader(space, self._featurizer(), reward, learning.silence_seconds)
        return reader.read(address, now, learning.max_conversations)

    def _featurizer(self) -> Featurizer:
        manifest = read_manifest(self.versions.directory)
        return build_featurizer(manifest.featurizer, self.assistant.ontology, manifest.max_turns)

    def journal(self) -> list[dict[str, Any]]:
        """What cycles and rollbacks did, oldest first; CommandError for a line that can't be read."""
        path = self.versions.directory / JOURNAL
        if not path.exists():
            return []
        text = path.read_text(encoding="utf-8")
        rows = []
        for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), start=1):
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise CommandError(f"{path}:{number}: not a journal line ({error}): delete that line") from None
        return rows

    def note(self, row: dict[str, Any]) -> dict[str, Any]:
        """Append to the journal, durably; returns ``row``."""
        path = self.versions.directory / JOURNAL
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return row

    def cycle(self, now: float | None = None, progress: Progress = lambda share, text: None) -> dict[str, Any]:
        """One cycle. The report's ``result`` is ``waiting`` (too few new dialogues), ``promoted`` or ``refused``.

        Raises:
            ModelError: there is no policy.
            CommandError: another process learns for this assistant now, or the policy's checkpoint can't be used.
        """
        with self._alone():
            now = time.time() if now is None else now
            progress(0.0, "reading finished dialogues")
            dialogues, since = self.dialogues(now), max((row["time"] for row in self.journal()), default=0.0)
            new = sum(dialogue.known_at > since for dialogue in dialogues)
            counts = {"finished": len(dialogues), "new": new, "steps": sum(len(d.steps) for d in dialogues)}
            served, needed = self.versions.pointer().version, self.config.learning.min_dialogues
            if new < needed:
                return {"result": "waiting", "served": served, "dialogues": counts, "needed": needed}
            return self.note(self._train_and_judge(now, dialogues, counts, served, progress))

    def rollback(self) -> dict[str, Any]:
        """Serve the version before and note it; ModelError when there is none."""
        with self._alone():
            before = self.versions.pointer().version
            version = self.versions.rollback()
            return self.note({"result": "rolled back", "time": time.time(), "from": before, "served": version})

    def status(self, now: float | None = None) -> dict[str, Any]:
        """What is served, what came before, what the latest cycles did and how each version does with real users."""
        pointer, journal = self.versions.pointer(), self.journal()
        dialogues = self.dialogues(time.time() if now is None else now)
        since = max((row["time"] for row in journal), default=0.0)
        return {
            "served": pointer.version,
            "base": pointer.base,
            "history": list(pointer.history),
            "new": sum(dialogue.known_at > since for dialogue in dialogues),
            "needed": self.config.learning.min_dialogues,
            "versions": by_version(dialogues),
            "journal": journal[-10:],
        }

    def _train_and_judge(
        self, now: float, dialogues: list[RealDialogue], counts: dict[str, int], served: str, progress: Progress
    ) -> dict[str, Any]:
        versions, learning = self.versions, self.config.learning
        with versions.staging() as staged:
            self._candidate(versions.served(), staged, dialogues, counts, progress)
            candidate = OnnxPolicy.load(staged, self.assistant.ontology)
            progress(0.85, "gate")
            # not only against what is served: margins would add up over many promotions
            references = {"served": served} | ({} if served == versions.base else {"base": versions.base})
            gates = {
                name: compare(
                    candidate,
                    OnnxPolicy.load(versions.path(version), self.assistant.ontology),
                    self.assistant.ontology,
                    self.settings,
                    dialogues=learning.gate_dialogues,
                    margin=learning.margin,
                )
                for name, version in references.items()
            }
            passed = all(gate.passed for gate in gates.values())
            if passed:
                versions.publish(staged)
            progress(1.0, "promoted" if passed else "refused")
        return {
            "result": "promoted" if passed else "refused",
            "time": now,
            "candidate": candidate.version,
            "before": served,
            "served": candidate.version if passed else served,
            "dialogues": counts,
            "gate": {name: gate.to_json() for name, gate in gates.items()},
        }

    def _candidate(
        self, served: Path, staged: Path, dialogues: list[RealDialogue], counts: dict[str, int], progress: Progress
    ) -> None:
        """Learn on from the served network and write the candidate's files."""
        from bot.learning.continual import ContinualConfig, continue_training, load_network
        from policies.checkpoint import CheckpointError, save_checkpoint
        from policies.export import export_onnx
        from simulator.vector_env import DialogueVectorEnv

        featurizer, manifest, learning = self._featurizer(), read_manifest(served), self.config.learning
        env = DialogueVectorEnv(
            SIMULATED_DIALOGUES, self.assistant.ontology, settings=self.settings, featurizer=featurizer
        )
        try:
            network, trained = load_network(served, featurizer.size, env.simulation.space.size)
        except CheckpointError as error:
            raise CommandError(f"can't go on from the served policy: {error}") from None
        config = ContinualConfig(
            updates=learning.updates,
            real_share=learning.real_share,
            conservatism=learning.conservatism,
            seed=self.config.seed + 1 + len(self.journal()),
        )
        real = transitions(dialogues, trained.n_step, trained.gamma, trained.reward_scale)
        network = continue_training(
            network, trained, env, real, config, lambda share: progress(0.7 * share, "learning")
        )
        details = {
            "config": asdict(trained), "continued": asdict(config),
            "parent": manifest.sha256[:12], "dialogues": counts,
        }  # fmt: skip
        save_checkpoint(staged, network, details)
        progress(0.75, "export")
        export_onnx(
            network, staged, env.simulation.space, featurizer,
            name=manifest.name, max_turns=manifest.max_turns, training=details,
        )  # fmt: skip

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self.versions.directory / LOCK
        read_manifest(self.versions.directory)  # no policy: say so before anything is made
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError(f"{path}: another `rejoinder learn` is at work: wait for it or stop it") from None
            yield
