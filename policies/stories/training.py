"""Imitation of stories: a network that does what the stories do, and is unsure where they say nothing (torch).

Cross-entropy with label smoothing on the stories' and rules' examples, augmented by gluing and forgetting
(``policies.stories.scripts``). Some examples get an intent that nobody would expect there and a uniform target
(outlier exposure, Hendrycks et al. 2019): an unknown situation then leads to the fallback instead of a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from memory.turn import FloatArray
from policies.masked import check_finite
from policies.stories.featurizer import MAX_HISTORY, StoryFeaturizer, StoryVocabulary
from policies.stories.network import StoryNetwork
from policies.stories.scripts import Script, glued, openings
from policies.stories.state import LISTEN, History, StoryExample, StoryPrediction, StoryState

Progress = Callable[[float], None]
"""Told the share that is done, 0 to 1."""
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Features (B, H * width), actions (B,), and how even the target is (B,): 0 the action alone, 1 an outlier."""


@dataclass(frozen=True, slots=True)
class StoryTraining:
    """Everything an imitation depends on; equal settings give an equal network on one machine.

    There are ``updates``, or as many as ``passes`` over the written examples take, if more (up to ``max_updates``).
    ``augmentation`` bounds the stories that each story is glued to. ``outliers`` is the share of examples with an
    unexpected intent, ``smoothing`` the probability that the target spreads over all actions, ``forget`` the share of
    examples that lose a random number of their oldest states.
    """

    max_history: int = MAX_HISTORY
    hidden: int = 64
    dropout: float = 0.1
    updates: int = 900
    passes: int = 20
    max_updates: int = 4000
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    augmentation: int = 10
    max_glued: int = 4000
    outliers: float = 0.1
    smoothing: float = 0.02
    forget: float = 0.2
    seed: int = 0
    threads: int = 1


@dataclass
class StoryLearner:
    """A network with what its inputs and outputs mean; a ``StoryPolicy``."""

    network: StoryNetwork
    featurizer: StoryFeaturizer
    actions: tuple[str, ...]
    settings: StoryTraining
    interrupted: bool = False
    name: str = "learned"

    @torch.no_grad()
    def predict(self, history: History) -> StoryPrediction:
        """As ``ServedStoryPolicy.predict`` after export."""
        features = torch.from_numpy(self.featurizer(history).reshape(1, -1))
        probabilities = torch.softmax(self.network(features), dim=-1)[0].tolist()
        return StoryPrediction(dict(zip(self.actions, probabilities, strict=True)), self.name)

    @torch.no_grad()
    def accuracy(self, examples: Sequence[StoryExample]) -> float:
        """The share of ``examples`` whose action is the most probable one; NaN without examples."""
        if not examples:
            return float("nan")
        features, targets = _arrays(examples, self.featurizer, self.actions)
        logits = self.network.eval()(torch.from_numpy(features.reshape(len(features), -1)))
        return float(np.mean(logits.argmax(dim=1).numpy() == targets))


def imitate(
    scripts: Sequence[Script], settings: StoryTraining, progress: Progress | None = None
) -> tuple[StoryLearner, StoryBatches]:
    """Learn what ``scripts`` do; the learner and the batches that it saw. Ctrl-C ends early with the network so far.

    ValueError when there is no action in any script; FloatingPointError when the loss is not finite.
    """
    examples = [example for script in scripts for example in script.examples(settings.max_history)]
    if not examples:
        raise ValueError("there is nothing to imitate: the project has neither stories nor rules")
    torch.set_num_threads(settings.threads)
    rng = np.random.default_rng(settings.seed)
    more = glued(scripts, settings.max_history, settings.augmentation, rng)
    if len(more) > settings.max_glued:
        more = [more[int(n)] for n in rng.choice(len(more), settings.max_glued, replace=False)]
    learner = fresh_learner(scripts, settings)
    batches = StoryBatches(examples, more, learner, openings(scripts), rng)
    _minimise(learner, batches, progress)
    learner.network.eval()
    return learner, batches


def fresh_learner(scripts: Sequence[Script], settings: StoryTraining) -> StoryLearner:
    """An untrained network whose vocabulary and actions are those of ``scripts``."""
    stories = [script for script in scripts if not script.rule] or scripts
    told = [state for script in stories for state in script.states]
    # slots and loops that only rules mention are for rules to know: in serving this policy isn't shown them
    bare = [
        StoryState(state.intent, state.entities, previous_action=state.previous_action)
        for script in scripts
        for state in script.states
    ]
    done = {action for script in scripts for action in script.actions}
    vocabulary = StoryVocabulary.of([*told, *bare, *(StoryState(previous_action=action) for action in sorted(done))])
    featurizer = StoryFeaturizer(vocabulary, settings.max_history)
    actions = tuple(sorted(done))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = StoryNetwork(featurizer.width, settings.max_history, len(actions), settings.hidden, settings.dropout)
    return StoryLearner(network, featurizer, actions, settings)


class StoryBatches:
    """Draws augmented batches: half of the written examples, half of the glued ones, where there are any."""

    def __init__(
        self, written: Sequence[StoryExample], more: Sequence[StoryExample], learner: StoryLearner,
        at_any_time: frozenset[str], rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.featurizer, self.settings, self.rng = learner.featurizer, learner.settings, rng
        features, self.targets = _arrays([*written, *more], learner.featurizer, learner.actions)
        self.features = features.astype(np.uint8)  # only zeros and ones: large projects have many
        self.written = len(written)
        self.listening = int(np.argmax(learner.featurizer.row(StoryState(previous_action=LISTEN))[1:])) + 1
        names = learner.featurizer.vocabulary.intents
        unexpected = [n for n, name in enumerate(names) if name not in at_any_time] + [len(names)]
        self.unexpected = np.array(unexpected)
        self.expected = self._intents_after()

    def _intents_after(self) -> dict[bytes, set[int]]:
        """For each place in a conversation: the intents that some example has there."""
        found: dict[bytes, set[int]] = {}
        for history in self.features:
            intent = np.flatnonzero(history[-1, self.featurizer.intent_columns])
            found.setdefault(self._place(history), set()).update(intent.tolist())
        return found

    def _place(self, history: NDArray[np.uint8]) -> bytes:
        """What the bot did last, slots and loop: (H, width) rows of the last two states without the new intent."""
        kept = history[-2:].copy()
        kept[-1, self.featurizer.intent_columns] = 0
        return kept.tobytes()

    def draw(self) -> Batch:
        """The next batch."""
        s, rng = self.settings, self.rng
        rows = rng.integers(self.written, size=s.batch_size)
        glued_rows = len(self.features) - self.written
        if glued_rows:
            some = rng.random(s.batch_size) < 0.5
            rows = np.where(some, self.written + rng.integers(glued_rows, size=s.batch_size), rows)
        features = self.features[rows].copy()
        uniform = np.full(s.batch_size, s.smoothing, dtype=np.float32)
        for n in np.flatnonzero(rng.random(s.batch_size) < s.outliers):
            if self._surprise(features[n]):
                uniform[n] = 1.0
        for n in np.flatnonzero(rng.random(s.batch_size) < s.forget):
            features[n, : rng.integers(s.max_history)] = 0
        flat = torch.from_numpy(features.reshape(s.batch_size, -1).astype(np.float32))
        return flat, torch.from_numpy(self.targets[rows]), torch.from_numpy(uniform)

    def _surprise(self, history: NDArray[np.uint8]) -> bool:
        """Put an intent into the present state that no example has in this place; False where the user is silent."""
        present, columns = history[-1], self.featurizer.intent_columns
        intent = int(self.rng.choice(self.unexpected))
        if not present[self.listening] or intent in self.expected.get(self._place(history), ()):
            return False
        present[columns] = 0
        present[columns.start + intent] = 1
        return True


def _arrays(
    examples: Sequence[StoryExample], featurizer: StoryFeaturizer, actions: Sequence[str]
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Features (N, H, width) and action indices (N,); -1 for an action that the policy does not know."""
    places = {action: n for n, action in enumerate(actions)}
    targets = np.array([places.get(example.action, -1) for example in examples], dtype=np.int64)
    return featurizer.batch([example.history for example in examples]), targets


def imitation_loss(network: StoryNetwork, batch: Batch) -> torch.Tensor:
    """Cross-entropy to the stories' actions, spread evenly over all actions as far as the batch says."""
    features, actions, uniform = batch
    log_probs = torch.log_softmax(network(features), dim=-1)
    chosen = log_probs.gather(1, actions[:, None])[:, 0]
    return -((1.0 - uniform) * chosen + uniform * log_probs.mean(dim=-1)).mean()


def _minimise(learner: StoryLearner, batches: StoryBatches, progress: Progress | None) -> None:
    s, network = learner.settings, learner.network
    updates = max(s.updates, min(s.passes * batches.written // s.batch_size, s.max_updates))
    optimizer = torch.optim.AdamW(network.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, s.learning_rate, total_steps=updates)
    network.train()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(s.seed)  # dropout
            for update in range(updates):
                loss = imitation_loss(network, batches.draw())
                check_finite(update, loss=loss)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                if progress is not None and update % 20 == 0:
                    progress(update / updates)
    except KeyboardInterrupt:
        learner.interrupted = True
