"""The sentence encoder as served: ONNX Runtime and a tokenizer, mean-pooled unit vectors. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

MAX_TOKENS = 64
FILES = ("model.onnx", "tokenizer.json")


class EncoderError(RuntimeError):
    """The encoder's files are missing, damaged or of another shape; the message says which and what to do."""


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Encoder:
    """Sentence embeddings of one exported transformers model (mean pooling over real tokens, L2 norm 1)."""

    def __init__(self, folder: Path) -> None:
        """Open ``folder`` (model.onnx, tokenizer.json, manifest.json); EncoderError when it does not add up."""
        import onnxruntime
        from tokenizers import Tokenizer

        manifest = _read_manifest(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:
            raise EncoderError(f"{folder}: the encoder can't be opened ({error}); train the NLU again") from error
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._inputs = {node.name for node in self._session.get_inputs()}
        self.size = int(manifest["size"])
        self.name = str(manifest["name"])

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(len(texts), size) unit vectors; texts longer than MAX_TOKENS word pieces are cut.

        Texts run one at a time: dynamic int8 scales depend on the whole batch, so a sentence would otherwise get
        another vector depending on its neighbours, and padding would cost more than batching gains on one core.
        """
        rows = np.zeros((len(texts), self.size), dtype=np.float32)
        for row, item in enumerate(self._tokenizer.encode_batch_fast(list(texts))):
            ids = np.array([item.ids], dtype=np.int64)
            mask = np.ones_like(ids)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            states = self._session.run(None, {name: value for name, value in feed.items() if name in self._inputs})[0]
            rows[row] = mean_pool(states, mask)[0]
        return rows

    def is_word(self, word: str) -> bool:
        """Whether a lower-case word is one piece of the vocabulary, i.e. a common word and no typo."""
        return self._tokenizer.token_to_id(word) is not None


def mean_pool(states: FloatArray, mask: NDArray[np.int64]) -> FloatArray:
    """(B, T, D) token states and (B, T) mask -> (B, D) unit vectors (Reimers & Gurevych 2019, mean pooling)."""
    weights = mask[:, :, None].astype(np.float32)
    pooled = (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)
    unit: FloatArray = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-9)
    return unit.astype(np.float32)


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        hashes = manifest["sha256"]
        if not isinstance(hashes, dict):
            raise TypeError("sha256 is no mapping")
        for name in FILES:
            if not (folder / name).is_file():
                raise EncoderError(f"{folder / name} is missing; train the NLU again")
            if file_sha256(folder / name) != hashes[name]:
                raise EncoderError(f"{folder / name} is damaged (its SHA-256 differs); train the NLU again")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{folder / 'manifest.json'} can't be read ({error}); train the NLU again") from error
    return manifest
