"""Rankers on disk (ONNX + JSON manifest) and the classes that serve them, which need numpy and ONNX Runtime only."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.files import write_atomically
from policies.onnx_session import open_session

FORMAT = 1
"""Version of the manifest's layout; readers refuse any other."""
MODEL_FILE = "ranker.onnx"
MANIFEST_FILE = "ranker.json"
_KIND = re.compile(r"[a-z0-9][a-z0-9_-]*")


class RankerError(ValueError):
    """A ranker on disk is missing, damaged or of another version; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class RankerManifest:
    """What a reader must know and check before it trusts ``ranker.onnx``; ``features`` are in the order of columns."""

    features: tuple[str, ...]
    sha256: str
    format: int = FORMAT
    training: Mapping[str, Any] | None = None


def write_ranker(
    directory: Path, model: bytes, features: tuple[str, ...], training: Mapping[str, Any] | None = None
) -> RankerManifest:
    """Write ``model`` (ONNX: (N, F) -> (N, 1)) and its manifest; the manifest last, so that half a ranker is none."""
    manifest = RankerManifest(features, hashlib.sha256(model).hexdigest(), FORMAT, training)
    write_atomically(directory / MODEL_FILE, model)
    write_atomically(directory / MANIFEST_FILE, json.dumps(asdict(manifest), indent=1).encode())
    return manifest


class ServedRanker:
    """Scores all candidates of a turn in one call; ONNX Runtime, one thread."""

    def __init__(self, session: Any, manifest: RankerManifest) -> None:
        self._session = session
        self._columns = {name: column for column, name in enumerate(manifest.features)}
        self.manifest = manifest
        self.version = manifest.sha256[:12]

    @classmethod
    def load(cls, directory: str | Path) -> ServedRanker:
        """Load and verify the ranker of ``directory``; RankerError for a missing, changed or unusable file."""
        directory = Path(directory)
        manifest = read_ranker_manifest(directory)
        session = open_session(directory / MODEL_FILE, manifest.sha256, RankerError, "train the ranker again")
        ranker = cls(session, manifest)
        try:
            scores = ranker.score(np.zeros((2, len(manifest.features)), dtype=np.float32))
        except Exception as error:
            raise RankerError(f"{directory / MODEL_FILE}: can't be run ({error}): train the ranker again") from None
        if scores.shape != (2,) or not np.isfinite(scores).all():
            raise RankerError(f"{directory / MODEL_FILE}: gives no finite score a row: train the ranker again")
        return ranker

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) scores of (N, F) float32 features in the manifest's order; NaN is missing; higher is better."""
        if not len(features):
            return np.zeros(0, dtype=np.float32)
        result: NDArray[np.float32] = self._session.run(None, {"features": features})[0][:, 0]
        return result

    def rank(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """(N,) rows of ``features`` from the best to the worst; equal scores keep their order."""
        return np.argsort(-self.score(features), kind="stable")

    def aligned(self, features: NDArray[np.floating[Any]], names: Sequence[str]) -> NDArray[np.float32]:
        """(N, F) columns in the manifest's order from (N, M) ``features`` called ``names``; absent ones: NaN."""
        result = np.full((len(features), len(self._columns)), np.nan, dtype=np.float32)
        for place, name in enumerate(names):
            if (column := self._columns.get(name)) is not None:
                result[:, column] = features[:, place]
        return result

    def matrix(self, rows: list[Mapping[str, float]]) -> NDArray[np.float32]:
        """(N, F) features of candidates that name theirs; one that isn't named is missing, an unknown one ignored."""
        result = np.full((len(rows), len(self._columns)), np.nan, dtype=np.float32)
        for number, row in enumerate(rows):
            for name, value in row.items():
                if (column := self._columns.get(name)) is not None:
                    result[number, column] = value
        return result


class RankerSet:
    """The rankers of all content types behind one interface: a folder a content type."""

    def __init__(self, rankers: Mapping[str, ServedRanker]) -> None:
        self._rankers = dict(rankers)
        self.kinds = tuple(sorted(self._rankers))

    @classmethod
    def load(cls, directory: str | Path) -> RankerSet:
        """Every ranker of ``directory``; RankerError when there is none or one of them is unusable."""
        directory = Path(directory)
        folders = sorted(manifest.parent for manifest in directory.glob(f"*/{MANIFEST_FILE}"))
        if not folders:
            raise RankerError(f"{directory}: no rankers in there: train them first")
        return cls({folder.name: ServedRanker.load(folder) for folder in folders})

    def __getitem__(self, kind: str) -> ServedRanker:
        try:
            return self._rankers[kind]
        except KeyError:
            raise RankerError(f"no ranker for {kind!r}: there are {', '.join(self.kinds)}; train one") from None

    def score(self, kind: str, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) scores of candidates of one content type; RankerError for a type without a ranker."""
        return self[kind].score(features)


def folder_of(directory: Path, kind: str) -> Path:
    """Where the ranker of ``kind`` lives; ValueError for a name that is no plain folder name."""
    if not _KIND.fullmatch(kind):
        raise ValueError(f"content type {kind!r}: use small letters, digits, - and _ (it names a folder)")
    return directory / kind


def read_ranker_manifest(directory: Path) -> RankerManifest:
    """Read and check the form of the manifest; RankerError otherwise."""
    path = directory / MANIFEST_FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        manifest = RankerManifest(**{**fields, "features": tuple(fields["features"])})
    except FileNotFoundError:
        raise RankerError(f"{path}: no such file: train the ranker first") from None
    except (ValueError, TypeError, KeyError) as error:
        raise RankerError(f"{path}: no manifest of a ranker ({error}): train the ranker again") from None
    if manifest.format != FORMAT:
        raise RankerError(f"{path}: format {manifest.format}, this version reads {FORMAT}: train the ranker again")
    return manifest
