"""A sparse DNC that reads one sentence a step, keeps names apart from what is said about them, and answers by hops.

A sentence is a *relation* (its closed-class words in order, every name replaced by one placeholder) and its *fillers*
(the names themselves, in order). The network transforms relations; fillers it only compares, mixes by gates and
copies, so that what it learns about one name holds for every other.

Writing follows the sparse DNC (Rae et al. 2016): each statement goes to the least recently used row, one-hot, so that
the temporal link (Graves et al. 2016, eqs. 5-8) is exactly "the row written before / after". Before it writes, the
controller reads by content and takes in the row written last, so that "then she went back" or "Mary dropped it" is
stored with what it refers to. A question writes nothing: it branches off the memory with several residual hops of
several heads, whose read modes mix content, forward and backward link. Content strength comes with a slope over the
age of a row, the differentiable form of usage.

Sizes: B stories, T statements, L words, Q questions, N rows, D relation, E filler, K fillers of a row, S registers of a
question, H heads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own name for it)


@dataclass(frozen=True)
class StorySettings:
    """Sizes of a story memory.

    Args:
        lexicon: closed-class words, padding included.
        identities: exchangeable names a story may hold, at most ``embedding``.
        length: words of a sentence that are read.
        embedding: width of a word and of a filler.
        arguments: names of a sentence that are kept: the first, the second, ...
        resolved: fillers that the writer adds to a row (what "she" is, what is carried).
        relation: width of a relation.
        write_heads: content reads before a write.
        read_heads: heads of a hop.
        working: registers that hops fill.
        hops: reads before the answer.
        key_size: width of a head's relational key.
        slots: words of an answer.
    """

    lexicon: int
    identities: int = 48
    length: int = 16
    embedding: int = 64
    arguments: int = 4
    resolved: int = 3
    relation: int = 128
    write_heads: int = 3
    read_heads: int = 4
    working: int = 4
    hops: int = 4
    key_size: int = 32
    slots: int = 3

    @property
    def fillers(self) -> int:
        """Fillers of a row."""
        return self.arguments + self.resolved

    @property
    def registers(self) -> int:
        """Fillers of a question in work."""
        return self.arguments + self.working


class RelationEncoder(nn.Module):
    """Closed-class words in order, names as one placeholder: (B, L) indices to (B, D)."""

    def __init__(self, settings: StorySettings) -> None:
        super().__init__()
        width, hidden = settings.embedding, settings.relation
        self.position = nn.Parameter(torch.randn(settings.length, width) * 0.1)
        self.local = nn.Linear(3 * width, hidden)
        self.wider = nn.Linear(3 * hidden, hidden)
        self.pick = nn.Linear(hidden, 4)
        self.out = nn.Linear(6 * hidden, hidden)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, words: Tensor, there: Tensor) -> Tensor:
        """Words (B, L, E) and which of them are there (B, L, 1)."""
        words = (words + self.position[: words.shape[1]]) * there
        local = F.relu(self.local(neighbours(words))) * there
        local = local + F.relu(self.wider(neighbours(local))) * there
        weights = self.pick(local).masked_fill(~there, -1e4).softmax(dim=1)
        picked = (weights.transpose(1, 2) @ local).flatten(1)
        features = torch.cat((picked, local.amax(1), local.sum(1) / there.sum(1).clamp(min=1)), dim=-1)
        encoded: Tensor = self.norm(self.out(features))
        return encoded


def neighbours(words: Tensor) -> Tensor:
    """Each word with the one before and the one after it: (B, L, E) to (B, L, 3 E)."""
    around = F.pad(words, (0, 0, 1, 1))
    return torch.cat((around[:, :-2], words, around[:, 2:]), dim=-1)


LARGEST = 4.0
"""Length of a filler at most; a name's is about 1. Fillers made of fillers of fillers would else grow without end."""


def bounded(fillers: Tensor) -> Tensor:
    """Fillers (..., E) no longer than ``LARGEST``."""
    return fillers * (LARGEST * torch.rsqrt(fillers.square().sum(-1, keepdim=True) + 1e-8)).clamp(max=1.0)


class ContentRead(nn.Module):
    """Heads that look for rows by relation, fillers and age."""

    def __init__(self, settings: StorySettings, heads: int, sources: int, strength: float) -> None:
        super().__init__()
        self.heads, self.sources, self.key = heads, sources, settings.key_size
        self.fillers, arguments = settings.fillers, settings.arguments
        self.keys = nn.Linear(settings.relation, heads * self.key)
        self.match = nn.Linear(settings.relation, heads * sources * self.fillers)
        self.slope = nn.Linear(settings.relation, heads)
        self.query = nn.Linear(settings.relation, heads * self.key)
        nn.init.constant_(self.slope.bias, 0.5)
        with torch.no_grad():
            self.match.weight *= 0.5
            self.match.bias.zero_()
            self.match.bias.view(heads, sources, self.fillers)[:, :arguments, :arguments] = strength

    def address(self, state: Tensor, registers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Relational query (Q, H, key), filler query (Q, H, K * E) and age slope (Q, H) from state and registers."""
        gates = self.match(state).unflatten(-1, (self.heads, self.sources, self.fillers)).transpose(-1, -2)
        wanted = (gates.flatten(1, 2) @ registers).unflatten(1, (self.heads, self.fillers)).flatten(2)
        return self.query(state).unflatten(-1, (self.heads, self.key)) * self.key**-0.5, wanted, self.slope(state)

    def weights(self, address: tuple[Tensor, Tensor, Tensor], keys: Tensor, fillers: Tensor, ages: Tensor) -> Tensor:
        """Content weights (Q, H, N); what is missing to one went to no row.

        Args:
            address: see ``address``.
            keys: (Q, N, H, key) relational keys of the rows.
            fillers: (Q, N, K * E) fillers of the rows.
            ages: (Q or 1, N) log of one plus the steps since a row was written; below 0 where there is no row.
        """
        query, wanted, slope = address
        scores = torch.einsum("qhk,qnhk->qhn", query, keys) + wanted @ fillers.transpose(1, 2)
        scores = (scores - slope.unsqueeze(-1) * ages.unsqueeze(1)).masked_fill((ages < 0).unsqueeze(1), -1e4)
        return torch.cat((scores, torch.zeros_like(scores[..., :1])), dim=-1).softmax(-1)[..., :-1]


class Writer(nn.Module):
    """Reads what a statement refers to, then gives the row to be written."""

    def __init__(self, settings: StorySettings) -> None:
        super().__init__()
        self.settings = settings
        size, heads, fillers = settings.relation, settings.write_heads, settings.fillers
        self.read = ContentRead(settings, heads, settings.arguments, 3.0)
        self.sources = settings.arguments + (heads + 1) * fillers
        compared = settings.arguments * (heads + 1) * fillers
        self.hidden = nn.Linear(size * (heads + 2) + compared + heads, 2 * size)
        self.change = nn.Linear(2 * size, size)
        self.resolve = nn.Linear(2 * size, settings.resolved * self.sources)
        self.norm = nn.LayerNorm(size)
        with torch.no_grad():
            self.resolve.weight *= 0.3

    def forward(
        self,
        relation: Tensor,
        arguments: Tensor,
        weights: Tensor,
        rows: tuple[Tensor, Tensor],
        last: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """The new row: relation (B, D) and fillers (B, K, E).

        Args:
            relation, arguments: (B, D) and (B, A, E) of the statement.
            weights: (B, H, N) content weights.
            rows: relations (B, N, D) and fillers (B, N, K * E) so far.
            last: relation and fillers (B, K, E) of the row written last, 0 for the first.
        """
        relations = torch.cat((weights @ rows[0], last[0].unsqueeze(1)), dim=1)
        recalled = (weights @ rows[1]).reshape(len(relation), -1, self.settings.embedding)
        recalled = torch.cat((recalled, last[1]), dim=1)
        compared = (arguments @ recalled.transpose(1, 2)).flatten(1)
        hidden = F.relu(self.hidden(torch.cat((relation, relations.flatten(1), compared, weights.sum(-1)), dim=-1)))
        gates = self.resolve(hidden).unflatten(-1, (self.settings.resolved, self.sources))
        resolved = bounded(gates @ torch.cat((arguments, recalled), dim=1))
        return self.norm(relation + self.change(hidden)), torch.cat((arguments, resolved), dim=1)


class Hop(nn.Module):
    """One read of all heads: content, forward and backward link, and a residual step of the question."""

    def __init__(self, settings: StorySettings) -> None:
        super().__init__()
        self.settings = settings
        size, heads = settings.relation, settings.read_heads
        self.read = ContentRead(settings, heads, settings.registers, 3.0)
        self.modes = nn.Linear(size, 3 * heads)
        self.sources = settings.registers + heads * settings.fillers
        compared = settings.registers * heads * settings.fillers
        self.hidden = nn.Linear(size * (heads + 1) + compared + heads, 2 * size)
        self.out = nn.Linear(2 * size, size)
        self.keep = nn.Linear(2 * size, settings.working * self.sources)
        self.norm = nn.LayerNorm(size)
        with torch.no_grad():
            self.modes.bias.view(heads, 3)[:, 0] = 1.0
            self.keep.weight *= 0.3
            for register in range(settings.working):
                self.keep.bias.view(settings.working, self.sources)[register, settings.arguments + register] = 1.0

    def forward(
        self, state: Tensor, registers: Tensor, rows: tuple[Tensor, Tensor, Tensor], ages: Tensor, previous: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """State (Q, D), registers (Q, S, E) and last weights (Q, H, N) -> the three after the hop.

        ``rows`` are keys (Q, N, H, key), relations (Q, N, D) and fillers (Q, N, K * E); ``ages`` is (Q, N).
        """
        keys, relations, fillers = rows
        content = self.read.weights(self.read.address(state, registers), keys, fillers, ages)
        modes = self.modes(state).unflatten(-1, (self.settings.read_heads, 3)).softmax(-1)
        forward, backward = F.pad(previous, (1, 0))[..., :-1], F.pad(previous, (0, 1))[..., 1:]
        weights = modes[..., :1] * content + modes[..., 1:2] * forward + modes[..., 2:] * backward
        weights = weights.masked_fill((ages < 0).unsqueeze(1), 0.0)
        recalled = (weights @ fillers).unflatten(-1, (self.settings.fillers, -1)).flatten(1, 2)
        compared = (registers @ recalled.transpose(1, 2)).flatten(1)
        features = torch.cat((state, (weights @ relations).flatten(1), compared, weights.sum(-1)), dim=-1)
        hidden = F.relu(self.hidden(features))
        gates = self.keep(hidden).unflatten(-1, (self.settings.working, self.sources))
        working = bounded(gates @ torch.cat((registers, recalled), dim=1))
        registers = torch.cat((registers[:, : self.settings.arguments], working), dim=1)
        return self.norm(state + self.out(hidden)), registers, weights


class StoryModel(nn.Module):
    """Encoder, writer, hops and answer of a story memory."""

    def __init__(self, settings: StorySettings) -> None:
        super().__init__()
        self.settings = settings
        width, size = settings.embedding, settings.relation
        self.words = nn.Embedding(settings.lexicon + 1, width, padding_idx=0)
        names = torch.empty(settings.identities, width)
        nn.init.orthogonal_(names)
        self.names = nn.Parameter(names)
        self.relations = RelationEncoder(settings)
        self.writer = Writer(settings)
        self.hops = nn.ModuleList(Hop(settings) for _ in range(settings.hops))
        self.said = nn.Linear(2 * size, settings.slots * settings.lexicon)
        self.named = nn.Linear(2 * size, settings.slots * settings.registers)

    def encode(self, indices: Tensor, meanings: Tensor) -> tuple[Tensor, Tensor]:
        """Sentences (B, L) -> relations (B, D) and arguments (B, A, E).

        ``meanings`` (B, L): the lexicon's index of a meaningful name, else 0. Equal relations are encoded once.
        """
        return self.relation(indices, meanings), self.arguments(indices)

    def relation(self, indices: Tensor, meanings: Tensor) -> Tensor:
        """What is said, whoever it is said of (B, D)."""
        lexicon = self.settings.lexicon
        anonymous = torch.cat((indices.clamp(max=lexicon), meanings), dim=1)
        which = None
        if not torch.onnx.is_in_onnx_export():
            anonymous, which = torch.unique(anonymous, dim=0, return_inverse=True)
        closed, meant = anonymous.chunk(2, dim=1)
        encoded: Tensor = self.relations(self.words(closed) + self.words(meant), (closed > 0).unsqueeze(-1))
        return encoded if which is None else encoded[which]

    def arguments(self, indices: Tensor) -> Tensor:
        """The names of sentences in order (B, A, E), 0 where there is none."""
        named = indices >= self.settings.lexicon
        order = torch.where(named, named.long().cumsum(1), 0)
        first = torch.arange(1, self.settings.arguments + 1, device=indices.device)
        place = (order.unsqueeze(1) == first.view(1, -1, 1)).to(self.names.dtype)
        arguments: Tensor = place @ self.names[(indices - self.settings.lexicon).clamp(min=0)]
        return arguments

    def write(self, relations: Tensor, arguments: Tensor) -> tuple[Tensor, Tensor]:
        """Statements (B, T, D) and (B, T, A, E), one after the other -> rows (B, T, D) and (B, T, K * E)."""
        batch, steps, size = relations.shape
        read, width = self.writer.read, self.settings.fillers * self.settings.embedding
        ages = torch.log1p(torch.arange(steps, 0, -1, dtype=relations.dtype, device=relations.device)).unsqueeze(0)
        query, wanted, slope = read.address(relations.flatten(0, 1), arguments.flatten(0, 1))
        addresses = [part.reshape(batch, steps, *part.shape[1:]).unbind(1) for part in (query, wanted, slope)]
        keys = relations.new_zeros(batch, 0, read.heads, read.key)
        rows = relations.new_zeros(batch, 0, size), relations.new_zeros(batch, 0, width)
        last = (
            relations.new_zeros(batch, size),
            relations.new_zeros(batch, self.settings.fillers, self.settings.embedding),
        )
        for step, (told, names) in enumerate(zip(relations.unbind(1), arguments.unbind(1), strict=True)):
            address = addresses[0][step], addresses[1][step], addresses[2][step]
            weights = read.weights(address, keys, rows[1], ages[:, steps - step :])
            last = self.writer(told, names, weights, rows, last)
            key = read.keys(last[0]).view(batch, 1, read.heads, read.key)
            keys = torch.cat((keys, key), dim=1)
            rows = (
                torch.cat((rows[0], last[0].unsqueeze(1)), dim=1),
                torch.cat((rows[1], last[1].flatten(1).unsqueeze(1)), dim=1),
            )
        return rows

    def ask(
        self,
        question: tuple[Tensor, Tensor],
        rows: tuple[Tensor, Tensor],
        ages: Tensor,
        meanings: Tensor,
        bound: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Logits (Q, slots, lexicon + identities) and what was read (Q, hops, H, N).

        Args:
            question: relations (Q, D) and arguments (Q, A, E).
            rows: relations (Q, N, D) and fillers (Q, N, K * E).
            ages: (Q, N) as in ``ContentRead``, below 0 for a row that the question must not see.
            meanings: (Q, identities) the lexicon's index of a meaningful name, else 0.
            bound: (Q, identities) whether a name is in use.
        """
        state = asked = question[0]
        registers = F.pad(question[1], (0, 0, 0, self.settings.working))
        weights = asked.new_zeros(asked.shape[0], self.settings.read_heads, ages.shape[1])
        read = []
        for hop in cast(Iterable[Hop], self.hops):
            keys = hop.read.keys(rows[0]).unflatten(-1, (hop.read.heads, hop.read.key))
            state, registers, weights = hop(state, registers, (keys, *rows), ages, weights)
            read.append(weights)
        return self.logits(torch.cat((state, asked), dim=-1), registers, meanings, bound), torch.stack(read, dim=1)

    def logits(self, state: Tensor, registers: Tensor, meanings: Tensor, bound: Tensor) -> Tensor:
        """Scores of words and names: a meaningful name has the score of its word as well, an unbound one none."""
        words = self.said(state).unflatten(-1, (self.settings.slots, self.settings.lexicon))
        gates = self.named(state).unflatten(-1, (self.settings.slots, self.settings.registers))
        names = 8.0 * (gates @ registers) @ self.names.T
        plus = words.gather(-1, meanings.unsqueeze(1).expand_as(names)) * (meanings > 0).unsqueeze(1)
        return torch.cat((words, (names + plus).masked_fill(~bound.unsqueeze(1), -1e4)), dim=-1)
