"""The learned user's network in NumPy: a GRU over the dialogue, and heads that all slots share.

    h_t = GRU(context_t, h_{t-1})                                            (Cho et al. 2014, PyTorch's gates)
    P(flow act f)      = sigmoid(W h_t + b)_f
    P(inform slot s)   = sigmoid(v . tanh(A h_t + B x_s + c))     x_s: the features of slot s
    P(request r), P(open o): likewise with their own weights

Since every slot goes through the same weights, a network learned from one ontology runs in another. The layout of
the weights is that of ``simulator.users.learning``, which trains it with torch; here nothing needs torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.turn import SYSTEM_KINDS, FloatArray
from policies.files import write_atomically
from simulator.users.situation import CONTEXT, FLOW_LABELS, OPEN, REQUEST, SLOT, Features

WEIGHTS, MANIFEST = "weights.safetensors", "manifest.json"
HEADS = ("slot", "request", "open")
OFTEN = 20
"""So many recorded turns make a situation known; what a network says in others means nothing."""
GRID = 2.0**16
"""Weights and inputs of matrix products are rounded to multiples of 1 / GRID: every product and sum is then exact in
float64 (17 + 21 + 7 bits for inputs up to 1, weights up to 16 and 128 terms), whatever order BLAS sums in, so that a
dialogue does not depend on how many others run beside it."""


class LearnedUserError(ValueError):
    """A learned user's files are missing, damaged or of another version; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Chances:
    """Probabilities of what B users do: ``flow`` (B, F), ``inform`` (B, S), ``request`` (B, R), ``open`` (B, O)."""

    flow: FloatArray
    inform: FloatArray
    request: FloatArray
    open: FloatArray

    @property
    def flat(self) -> FloatArray:
        """(B, F + S + R + O) side by side, in the order of ``Said.flat``."""
        return np.concatenate([self.flow, self.inform, self.request, self.open], axis=1)


def shapes(hidden: int, width: int) -> dict[str, tuple[int, ...]]:
    """Every weight's name and shape for ``hidden`` GRU units and heads of ``width``."""
    expected: dict[str, tuple[int, ...]] = {
        "gru.weight_ih_l0": (3 * hidden, CONTEXT), "gru.weight_hh_l0": (3 * hidden, hidden),
        "gru.bias_ih_l0": (3 * hidden,), "gru.bias_hh_l0": (3 * hidden,),
        "flow.weight": (len(FLOW_LABELS), hidden), "flow.bias": (len(FLOW_LABELS),),
    }  # fmt: skip
    for head, size in zip(HEADS, (SLOT, REQUEST, OPEN), strict=True):
        expected |= {
            f"{head}.state.weight": (width, hidden), f"{head}.state.bias": (width,),
            f"{head}.part.weight": (width, size), f"{head}.out.weight": (1, width), f"{head}.out.bias": (1,),
        }  # fmt: skip
    return expected


class UserNetwork:
    """Inference. ``start`` gives the state of new dialogues, ``step`` the chances of a turn and the next state."""

    def __init__(self, weights: Mapping[str, FloatArray], manifest: Mapping[str, Any] | None = None) -> None:
        self.weights = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in weights.items()}
        self.manifest = dict(manifest or {})
        self._transposed = {name: _rounded(weight.T) for name, weight in self.weights.items() if weight.ndim == 2}
        self.hidden = self.weights["gru.weight_hh_l0"].shape[1]

    def knows(self, what: str) -> bool:
        """Whether the recordings showed a situation often enough: a system kind, ``indifferent`` or ``booking``."""
        return int(self.manifest.get("seen", {}).get(what, 0)) >= OFTEN

    def start(self, batch: int) -> FloatArray:
        """(B, H) zeros."""
        return np.zeros((batch, self.hidden), dtype=np.float32)

    def step(self, seen: Features, state: FloatArray) -> tuple[Chances, FloatArray]:
        """One turn of B dialogues; a row's numbers are the same bits whatever the batch."""
        state = self._recur(seen.context, state)
        flow = _sigmoid(self._linear("flow", state))
        parts = [self._head(head, state, getattr(seen, head)) for head in HEADS]
        return Chances(flow, *parts), state

    def _recur(self, context: FloatArray, state: FloatArray) -> FloatArray:
        new = self._product("gru.weight_ih_l0", context) + self.weights["gru.bias_ih_l0"]
        old = self._product("gru.weight_hh_l0", state) + self.weights["gru.bias_hh_l0"]
        reset, update, candidate = np.split(new, 3, axis=1)
        old_reset, old_update, old_candidate = np.split(old, 3, axis=1)
        keep = _sigmoid(update + old_update)
        fresh = np.tanh(candidate + _sigmoid(reset + old_reset) * old_candidate)
        after: FloatArray = (1.0 - keep) * fresh + keep * state
        return after

    def _head(self, head: str, state: FloatArray, parts: FloatArray) -> FloatArray:
        batch, count, size = parts.shape
        if count == 0:
            return np.zeros((batch, 0), dtype=np.float32)
        mixed = self._product(f"{head}.part.weight", parts.reshape(batch * count, size)).reshape(batch, count, -1)
        mixed = np.tanh(mixed + self._linear(f"{head}.state", state)[:, None, :])
        logits = self._product(f"{head}.out.weight", mixed.reshape(batch * count, -1)).reshape(batch, count)
        return _sigmoid(logits + self.weights[f"{head}.out.bias"])

    def _linear(self, layer: str, x: FloatArray) -> FloatArray:
        return self._product(f"{layer}.weight", x) + self.weights[f"{layer}.bias"]

    def _product(self, name: str, x: FloatArray) -> FloatArray:
        """(n, in) times the transposed weight (out, in), exactly (see GRID)."""
        return (_rounded(x) @ self._transposed[name]).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors``, then ``manifest.json`` with its hash: the manifest makes it complete."""
        from safetensors.numpy import save

        data = save(self.weights)
        write_atomically(folder / WEIGHTS, data)
        content = {
            **self.manifest, "sha256": hashlib.sha256(data).hexdigest(), "interface": _interface(),
            "hidden": self.hidden, "width": self.weights["slot.state.bias"].shape[0],
        }  # fmt: skip
        write_atomically(folder / MANIFEST, (json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: Path | str) -> UserNetwork:
        """Read what ``save`` wrote; LearnedUserError when anything about it does not fit."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        folder = Path(folder)
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            data = (folder / WEIGHTS).read_bytes()
            if manifest["interface"] != _interface():
                raise LearnedUserError(f"{folder}: trained for another version of the features: train it again")
            if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
                raise LearnedUserError(f"{folder / WEIGHTS}: differs from its manifest: train the user again")
            weights = load(data)
            expected = shapes(manifest["hidden"], manifest["width"])
        except OSError as error:
            raise LearnedUserError(f"{error.filename}: no learned user there: run `rejoinder train user`") from None
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
            raise LearnedUserError(f"{folder / MANIFEST}: damaged ({error!r}): train the user again") from None
        found = {name: weight.shape for name, weight in weights.items()}
        if found != expected:
            raise LearnedUserError(f"{folder / WEIGHTS}: the shapes are not the manifest's: train the user again")
        return cls(weights, manifest)


def _interface() -> list[Any]:
    """What the meaning of the weights depends on."""
    return [list(SYSTEM_KINDS), list(FLOW_LABELS), CONTEXT, SLOT, REQUEST, OPEN]


def _rounded(x: FloatArray) -> NDArray[np.float64]:
    return np.rint(np.ascontiguousarray(x, dtype=np.float64) * GRID) / GRID


def _sigmoid(x: FloatArray) -> FloatArray:
    value: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * x))
    return value
