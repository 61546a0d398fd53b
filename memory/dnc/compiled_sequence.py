"""A whole sequence through a DNC's controller and memory as one differentiable function.

Matrix products are torch's, everything else is machine code. What does not depend on the step before is one product
over all steps: inputs before the loop, the weights' gradients after it. Of the memory and its links, every k-th is
kept (k the root of the number of steps) and those between are made again on the way back (Chen et al. 2016).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from memory.dnc import compiled_access, compiled_backward, compiled_lstm
from memory.dnc.access import AccessState
from memory.dnc.cell import DNC, DNCState
from memory.dnc.compiled_record import Record, Sizes, Weights, empty_record, interval, padded


class _Sequence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sizes: Sizes, sequence: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        hidden, cell, words, *access = given[:9]
        state, weights = AccessState(*access), Weights(*given[9:])
        steps, batch, inputs = sequence.shape
        memory, link = padded(state.memory.transpose(1, 2), 2), padded(state.link, 2)
        record = empty_record(
            steps, len(weights.interface), memory, link.shape[1] > 0, state.read_weights.shape[1], sizes.hidden
        )
        starts = (state.usage, state.precedence, state.write_weights, state.read_weights)
        for kept, start in zip((record.usage, record.precedence, record.writes, record.reads), starts, strict=True):
            kept[0] = padded(start, 1)
        record.norms[0] = memory.square().sum(dim=1) + compiled_access.EPSILON
        record.cells[0] = cell
        recurrent = hidden.new_empty(steps + 1, batch, sizes.hidden + words.shape[1])
        recurrent[0] = torch.cat([hidden, words], dim=1)
        features = torch.empty_like(recurrent[1:]) if sizes.norm else recurrent[1:]
        bias = weights.bias + weights.other_bias
        torch.addmm(
            bias, sequence.reshape(-1, inputs), weights.of_inputs[:, :inputs].t(), out=record.gates.view(-1, len(bias))
        )
        _run(record, sizes, weights, weights.recurrent(inputs).t().contiguous(), memory, link, recurrent, features)
        ctx.sizes = sizes
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(sequence, recurrent, features, *weights, *record)
        n, w = sizes.rows, sizes.width
        linked = n if link.shape[1] else 0
        return (
            features,
            recurrent[-1, :, : sizes.hidden].clone(),
            record.cells[-1].clone(),
            recurrent[-1, :, sizes.hidden :].clone(),
            memory[:, :w, :n].transpose(1, 2).contiguous(),
            record.usage[-1, :, :n].clone(),
            link[:, :linked, :linked].clone(),
            record.precedence[-1, :, :linked].clone(),
            record.reads[-1, :, :, :n].clone(),
            record.writes[-1, :, :n].clone(),
        )

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *above: Tensor | None) -> tuple[Tensor | None, ...]:
        sequence, recurrent, features, *saved = ctx.saved_tensors
        weights, record = Weights(*saved[:8]), Record(*saved[8:])
        sizes: Sizes = ctx.sizes
        back = compiled_backward.Backward(sizes, sequence, recurrent, features, weights, record, above)
        return (None, *back.gradients(ctx.needs_input_grad[1]))


def _run(
    record: Record, sizes: Sizes, weights: Weights, of_recurrent: Tensor, memory: Tensor, link: Tensor,
    recurrent: Tensor, features: Tensor,
) -> None:  # fmt: skip
    steps, every = len(record.gates), interval(len(record.gates))
    arrays = [part.numpy() for part in (*record[:9], recurrent)]
    gates, cells, after, rows, links = (part.numpy() for part in (record.gates, record.cells, recurrent, memory, link))
    of_interface = weights.interface.t()
    for t in range(steps):
        if t % every == 0:
            record.memories[t // every] = memory
            record.links[t // every] = link
        record.gates[t].addmm_(recurrent[t], of_recurrent)
        compiled_lstm.lstm(t, gates, cells, after)
        steady = recurrent[t + 1, :, : sizes.hidden]
        if sizes.norm:
            steady = functional.layer_norm(steady, (sizes.hidden,), weights.norm, weights.norm_bias, sizes.epsilon)
            features[t, :, : sizes.hidden] = steady
        torch.addmm(weights.interface_bias, steady, of_interface, out=record.interface[t])
        compiled_access.step(t, sizes.hidden, sizes.rows, sizes.width, rows, links, *arrays)
    if sizes.norm:
        features[:, :, sizes.hidden :] = recurrent[1:, :, sizes.hidden :]


def compiled_sequence(module: DNC, sequence: Tensor, state: DNCState) -> tuple[Tensor, DNCState]:
    """(T, B, inputs) -> features (T, B, hidden + R W: what the output layer reads) and the state after the last step.

    The CPU, float32 or float64, and a memory that ``compiled.compilable`` accepts. No second derivatives.
    """
    settings, controller, norm = module.settings, module.controller, module.norm
    of_norm, epsilon = (sequence.new_empty(0), sequence.new_empty(0)), 0.0
    if isinstance(norm, nn.LayerNorm):
        of_norm, epsilon = (norm.weight, norm.bias), norm.eps
    sizes = Sizes(settings.hidden, settings.memory_size, settings.word_size, settings.layer_norm, epsilon)
    weights = Weights(
        controller.weight_ih,
        controller.weight_hh,
        controller.bias_ih,
        controller.bias_hh,
        module.interface.weight,
        module.interface.bias,
        *of_norm,
    )
    hidden, cell, words, access = state
    made = _Sequence.apply(sizes, sequence, hidden, cell, words, *access, *weights)  # type: ignore[no-untyped-call]
    features, hidden, cell, words, *parts = cast(tuple[Tensor, ...], made)
    return features, DNCState(hidden, cell, words, AccessState(*parts))
