"""The way back through a sequence of the compiled DNC: ``compiled_sequence``'s gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.dnc import compiled_access, compiled_gradient, compiled_lstm
from memory.dnc.compiled_elementary import Array
from memory.dnc.compiled_record import Record, Sizes, Weights, interval, padded


class Backward:
    """The way back through one sequence."""

    def __init__(
        self,
        sizes: Sizes,
        sequence: Tensor,
        recurrent: Tensor,
        features: Tensor,
        weights: Weights,
        record: Record,
        above: tuple[Tensor | None, ...],
    ) -> None:
        self.sizes, self.sequence, self.recurrent, self.features = sizes, sequence, recurrent, features
        self.weights, self.record = weights, record
        hidden = sizes.hidden
        of_features, of_hidden, of_cell, of_words, *of_access = above
        of_features = torch.zeros_like(features) if of_features is None else of_features.contiguous()
        self.of_steady: Tensor | None = None
        self.of_out = of_features
        if sizes.norm:  # stands between hidden state and features, not between words and features
            self.of_steady = of_features[:, :, :hidden].clone(memory_format=torch.contiguous_format)
            self.of_out = of_features.clone()
            self.of_out[:, :, :hidden] = 0.0
            self.normed = torch.native_layer_norm(recurrent[1:, :, :hidden], (hidden,), None, None, sizes.epsilon)
        self.of_last = torch.zeros_like(recurrent[0])
        for part, of_part in ((self.of_last[:, :hidden], of_hidden), (self.of_last[:, hidden:], of_words)):
            if of_part is not None:
                part.copy_(of_part)
        self.of_both = torch.empty_like(self.of_last)
        self.of_cell = torch.zeros_like(record.cells[0])
        if of_cell is not None:
            self.of_cell.copy_(of_cell)
        self.of_interface, self.of_gates = torch.empty_like(record.interface), torch.empty_like(record.gates)
        self.of_recurrent = weights.recurrent(sequence.shape[2])
        self._begin_access(of_access)

    def _begin_access(self, above: list[Tensor | None]) -> None:
        record = self.record
        memory, usage, link, precedence, reads, writes = above
        self.of_memory = torch.zeros_like(record.memories[0])
        self.of_link = torch.zeros_like(record.links[0])
        self.of_usage, self.of_precedence, self.of_reads, self.of_writes = (
            torch.zeros_like(part[0]) for part in (record.usage, record.precedence, record.reads, record.writes)
        )
        if memory is not None:
            self.of_memory.copy_(padded(memory.transpose(1, 2), 2))
        if link is not None:
            self.of_link.copy_(padded(link, 2))
        vectors = (
            (self.of_usage, usage),
            (self.of_precedence, precedence),
            (self.of_reads, reads),
            (self.of_writes, writes),
        )
        for part, of_part in vectors:
            if of_part is not None:
                part.copy_(padded(of_part, 1))
        carried = (self.of_memory, self.of_link, self.of_usage, self.of_precedence, self.of_writes, self.of_reads)
        passed = (*record[:9], self.of_both, self.of_interface, *carried)
        self.arrays = tuple(part.numpy() for part in passed)
        self.of_lstm = tuple(part.numpy() for part in (record.gates, record.cells, self.of_cell, self.of_gates))

    def gradients(self, of_inputs: bool) -> tuple[Tensor | None, ...]:
        """Those of the sequence (if wanted), the nine parts of the state and the eight weights, in this order."""
        self._steps()
        sizes, inputs = self.sizes, self.sequence.shape[2]
        hidden, rows, width = sizes.hidden, sizes.rows, sizes.width
        linked = rows if self.of_link.shape[1] else 0
        of_gates, of_interface = self.of_gates.flatten(0, 1), self.of_interface.flatten(0, 1)
        of_start = self.of_gates[0] @ self.of_recurrent
        into = of_gates.t() @ self.recurrent[:-1].flatten(0, 1)
        of_weights = torch.cat([of_gates.t() @ self.sequence.reshape(-1, inputs), into[:, hidden:]], dim=1)
        of_bias = of_gates.sum(dim=0)
        steady = self.features.flatten(0, 1)[:, :hidden]
        of_sequence = (of_gates @ self.weights.of_inputs[:, :inputs]).view_as(self.sequence) if of_inputs else None
        return (
            of_sequence,
            of_start[:, :hidden],
            self.of_cell,
            of_start[:, hidden:],
            self.of_memory[:, :width, :rows].transpose(1, 2),
            self.of_usage[:, :rows],
            self.of_link[:, :linked, :linked],
            self.of_precedence[:, :linked],
            self.of_reads[:, :, :rows],
            self.of_writes[:, :rows],
            of_weights,
            into[:, :hidden],
            of_bias,
            of_bias,
            of_interface.t() @ steady,
            of_interface.sum(dim=0),
            *self._norm_weights(),
        )

    def _steps(self) -> None:
        record, every = self.record, interval(len(self.record.gates))
        batch, width, rows = record.memories.shape[1:]
        linked = record.links.shape[2]
        memories = record.memories.new_empty(every, batch, width, rows)
        links = record.links.new_empty(every, batch, linked, linked)
        for kept in reversed(range(len(record.memories))):
            begin, end = kept * every, min((kept + 1) * every, len(record.gates))
            memories[0], links[0] = record.memories[kept], record.links[kept]
            self._replay(begin, end, memories.numpy(), links.numpy())
            for t in reversed(range(begin, end)):
                self._step(t, memories[t - begin].numpy(), links[t - begin].numpy())

    def _replay(self, begin: int, end: int, memories: Array, links: Array) -> None:
        record, sizes = self.record, self.sizes
        x, p, w = record.interface.numpy(), record.precedence.numpy(), record.writes.numpy()
        heads = record.reads.shape[2]
        for place in range(end - begin - 1):
            before, after = (memories[place], links[place]), (memories[place + 1], links[place + 1])
            compiled_access.replay(begin + place, *before, x, p, w, *after, heads, sizes.width)

    def _step(self, t: int, memory: Array, link: Array) -> None:
        sizes, hidden = self.sizes, self.sizes.hidden
        if t + 1 < len(self.of_gates):
            torch.addmm(self.of_out[t], self.of_gates[t + 1], self.of_recurrent, out=self.of_both)
        else:
            torch.add(self.of_out[t], self.of_last, out=self.of_both)
        compiled_gradient.step_gradient(t, hidden, sizes.rows, sizes.width, memory, link, *self.arrays)
        of_hidden, of_interface = self.of_both[:, :hidden], self.of_interface[t]
        if self.of_steady is None:
            of_hidden = torch.addmm(of_hidden, of_interface, self.weights.interface)
        else:
            self.of_steady[t].addmm_(of_interface, self.weights.interface)
            of_hidden = of_hidden + self._of_unnormed(t, self.of_steady[t])
        compiled_lstm.lstm_gradient(t, of_hidden.numpy(), *self.of_lstm)

    def _of_unnormed(self, t: int, of_steady: Tensor) -> Tensor:
        shown, spread = self.normed[0][t], self.normed[2][t]
        scaled = of_steady * self.weights.norm
        along = (scaled * shown).mean(dim=1, keepdim=True)
        return spread * (scaled - scaled.mean(dim=1, keepdim=True) - shown * along)

    def _norm_weights(self) -> tuple[Tensor | None, Tensor | None]:
        if self.of_steady is None:
            return None, None
        return (self.of_steady * self.normed[0]).sum(dim=(0, 1)), self.of_steady.sum(dim=(0, 1))
