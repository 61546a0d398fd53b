"""Learned selection on disk: versions that never change, and one pointer that is replaced atomically.

    models/<assistant>/selection/
        versions/<version>/<content type>/ranker.onnx, ranker.json
        versions/<version>/behaviour.json     what everybody did with each candidate
        versions/<version>/blending.json      how much everybody takes from each pool: the prior of a new person
        current.json                          the version that is served, and those before it

Nothing there is no error: selection then works with its priors.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.config import SelectionConfig
from bot.nlg.paraphrase import ParaphrasePool
from bot.selection import Selection
from bot.selection_venues import Scores
from memory.ontology import Ontology
from memory.slates import VENUES
from policies.files import write_atomically
from policies.ranking.behaviour import Behaviour
from policies.ranking.blending_bandit import BanditBlender, BlendSettings, BlendState
from policies.ranking.blending_posterior import Population
from policies.ranking.selection import SelectionSettings, Selector
from policies.ranking.served_ranker import MANIFEST_FILE, RankerSet

POINTER, FOLDER, LOCK = "current.json", "versions", "lock"
BEHAVIOUR, BLENDING = "behaviour.json", "blending.json"
_STAGED = ".staged-"
REMEDY = "run `rejoinder train ranker` again, or delete current.json to serve without what was learned"
REMEMBERED = 20
"""How many versions back are noted."""


class SelectionError(ValueError):
    """What was learned about selection is damaged or of other settings; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Served:
    """The served ``version`` ("": none yet) and those it replaced, oldest first."""

    version: str = ""
    history: tuple[str, ...] = ()


class SelectionVersions:
    """The versions below one folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def served(self) -> Served:
        """What is served; SelectionError when the pointer can't be read."""
        path = self.directory / POINTER
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return Served(str(raw["version"]), tuple(raw["history"]))
        except FileNotFoundError:
            return Served()
        except (ValueError, TypeError, KeyError) as error:
            raise SelectionError(f"{path}: not a pointer ({error}): delete it to serve without rankers") from None

    def folder(self) -> Path | None:
        """The folder of the served version; None when nothing was learned yet."""
        version = self.served().version
        return self.directory / FOLDER / version if version else None

    def signature(self) -> tuple[object, ...]:
        """Changes whenever another version is to be served; cheap enough to ask every second."""
        try:
            status = (self.directory / POINTER).stat()
        except FileNotFoundError:
            return ()
        return status.st_ino, status.st_mtime_ns

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder to write a candidate into; it is gone afterwards unless ``publish`` took it.

        SelectionError while another training has one.
        """
        versions = self.directory / FOLDER
        versions.mkdir(parents=True, exist_ok=True)
        with self._alone():
            for left in versions.glob(f"{_STAGED}*"):  # by a run that was killed
                shutil.rmtree(left, ignore_errors=True)
            staged = Path(tempfile.mkdtemp(dir=versions, prefix=_STAGED))
            try:
                yield staged
            finally:
                shutil.rmtree(staged, ignore_errors=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self.directory / LOCK
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SelectionError(f"{path}: another training is at work: wait for it or stop it") from None
            yield

    def publish(self, staged: Path, version: str) -> None:
        """Give the staged files their version's name and serve them."""
        target = self.directory / FOLDER / version
        if not target.exists():
            staged.rename(target)
            descriptor = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        before = self.served()
        if version != before.version:
            history = (*before.history, *((before.version,) if before.version else ()))[-REMEMBERED:]
            write_atomically(self.directory / POINTER, json.dumps(asdict(Served(version, history))).encode())


def blend_settings(pools: Sequence[str]) -> BlendSettings:
    """How pools of venues are blended; ``Selector`` adds the exploration, ``memory.tastes`` forgets."""
    return BlendSettings(
        pools=tuple(pools),
        rewards=(1.0, -0.5, 0.1),
        exploration=0.0,
        prior_rates=(0.35, 0.2, 0.1),
        batch=1_000_000_000,
        curves=False,
    )


def load_selection(
    config: SelectionConfig, directory: Path, ontology: Ontology, scores: Scores | None = None,
    paraphrases: ParaphrasePool | None = None,
) -> Selection:  # fmt: skip
    """What ``config`` asks for, with what was learned in ``directory`` where there is something.

    ``scores``: the nightly ones, if any; ``paraphrases``: a language model's, if it is on.

    Raises:
        SelectionError: a file of the served version is damaged or of other pools.
        RankerError: one of its rankers is unusable.
    """
    settings = SelectionSettings(config.mode, config.exploration, config.candidates, config.temperature)
    blender = BanditBlender(blend_settings(config.pools))
    folder = SelectionVersions(directory).folder() if config.mode == "learned" else None
    behaviour, population, rankers = Behaviour(), blender.begin().population, None
    if folder is not None:
        behaviour, population = read_behaviour(folder), read_population(folder, blender.settings)
        if any(folder.glob(f"*/{MANIFEST_FILE}")):
            rankers = RankerSet.load(folder)
    selector = Selector(settings, rankers, {VENUES: (blender, population)})
    return Selection(ontology, selector, behaviour, config.pools, scores, paraphrases)


def read_behaviour(folder: Path) -> Behaviour:
    """The counts of a version; SelectionError when they can't be read."""
    try:
        return Behaviour.from_json((folder / BEHAVIOUR).read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise SelectionError(f"{folder / BEHAVIOUR}: {error}: {REMEDY}") from None


def read_population(folder: Path, settings: BlendSettings) -> Population:
    """What is known of everybody's pools; SelectionError when it can't be read, or is of other pools."""
    try:
        return BlendState.from_json((folder / BLENDING).read_text(encoding="utf-8"), settings).population
    except (ValueError, OSError) as error:
        raise SelectionError(f"{folder / BLENDING}: {error}: {REMEDY}") from None
