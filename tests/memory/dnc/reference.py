"""The DNC's and the NTM's memory steps written plainly in NumPy loops from the papers' equations; no batch."""

from __future__ import annotations

import numpy as np

SMALL = 1e-6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def lookup(memory, key, strength, mask=None):
    mask = np.ones_like(key) if mask is None else mask
    similar = []
    for row in memory:
        a, b = row * mask, key * mask
        similar.append(a @ b / (np.sqrt(a @ a + SMALL) * np.sqrt(b @ b + SMALL)))
    return softmax(strength * np.array(similar))


def allocation(usage):
    usage = SMALL + (1 - SMALL) * usage
    order = sorted(range(len(usage)), key=lambda i: usage[i])
    result, product = np.zeros(len(usage)), 1.0
    for i in order:
        result[i] = (1 - usage[i]) * product
        product *= usage[i]
    return result


def lstm(weights, x, h, c):
    w_ih, w_hh, b_ih, b_hh = weights
    i, f, g, o = np.split(w_ih @ x + b_ih + w_hh @ h + b_hh, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


class Reader:
    """Takes the parts of an interface vector one after the other."""

    def __init__(self, vector):
        self.vector, self.at = vector, 0

    def take(self, n):
        part = self.vector[self.at : self.at + n]
        self.at += n
        return part


class DNCMemory:
    def __init__(self, n, w, r, masking=False, erase_on_free=False, links=True):
        self.n, self.w, self.r = n, w, r
        self.masking, self.erase_on_free, self.links = masking, erase_on_free, links
        self.memory, self.usage, self.link = np.zeros((n, w)), np.zeros(n), np.zeros((n, n))
        self.precedence, self.reads, self.writes = np.zeros(n), np.zeros((r, n)), np.zeros(n)

    def step(self, interface):
        n, w, r, take = self.n, self.w, self.r, Reader(interface).take
        keys, strengths = take(r * w).reshape(r, w), 1 + softplus(take(r))
        write_key, write_strength = take(w), 1 + softplus(take(1)[0])
        erase, vector, free = sigmoid(take(w)), take(w), sigmoid(take(r))
        allocate, write = sigmoid(take(1)[0]), sigmoid(take(1)[0])
        modes = [softmax(part) for part in take(3 * r).reshape(r, 3)] if self.links else [[0, 1, 0]] * r
        read_masks = sigmoid(take(r * w)).reshape(r, w) if self.masking else [None] * r
        write_mask = sigmoid(take(w)) if self.masking else None

        kept = np.ones(n)
        for i in range(n):
            for head in range(r):
                kept[i] *= 1 - free[head] * self.reads[head, i]
            self.usage[i] = (self.usage[i] + self.writes[i] - self.usage[i] * self.writes[i]) * kept[i]
        content = lookup(self.memory, write_key, write_strength, write_mask)
        self.writes = write * (allocate * allocation(self.usage) + (1 - allocate) * content)
        for i in range(n):
            if self.erase_on_free:
                self.memory[i] *= kept[i]
            self.memory[i] = self.memory[i] * (1 - self.writes[i] * erase) + self.writes[i] * vector
        for i in range(n):
            for j in range(n):
                if i != j:
                    self.link[i, j] = (1 - self.writes[i] - self.writes[j]) * self.link[i, j]
                    self.link[i, j] += self.writes[i] * self.precedence[j]
        self.precedence = (1 - self.writes.sum()) * self.precedence + self.writes
        for head in range(r):
            backward, forward = self.link.T @ self.reads[head], self.link @ self.reads[head]
            content = lookup(self.memory, keys[head], strengths[head], read_masks[head])
            mode = modes[head]
            self.reads[head] = mode[0] * backward + mode[1] * content + mode[2] * forward
        return np.concatenate([self.reads[head] @ self.memory for head in range(r)])


class NTMMemory:
    def __init__(self, memory, weights, writers, reach):
        self.memory, self.weights, self.writers, self.reach = memory.copy(), weights.copy(), writers, reach

    def step(self, interface):
        heads, w = len(self.weights), self.memory.shape[1]
        reader = Reader(interface)
        parts = [[reader.take(n) for n in (w, 1, 1, 2 * self.reach + 1, 1)] for _ in range(heads)]
        vectors = [(sigmoid(reader.take(w)), np.tanh(reader.take(w))) for _ in range(self.writers)]
        for head in range(self.writers):
            self.weights[head] = self.move(parts[head], self.weights[head])
        for head, (erase, add) in enumerate(vectors):
            for i, weight in enumerate(self.weights[head]):
                self.memory[i] = self.memory[i] * (1 - weight * erase) + weight * add
        for head in range(self.writers, heads):
            self.weights[head] = self.move(parts[head], self.weights[head])
        return np.concatenate([weights @ self.memory for weights in self.weights[self.writers :]])

    def move(self, parts, before):
        key, strength, gate, shifts, sharpness = parts
        content = lookup(self.memory, np.tanh(key), softplus(strength[0]))
        gate, shifts, n = sigmoid(gate[0]), softmax(shifts), len(before)
        between = gate * content + (1 - gate) * before
        moved = np.zeros(n)
        for i in range(n):
            for offset in range(-self.reach, self.reach + 1):
                moved[i] += between[(i - offset) % n] * shifts[offset + self.reach]
        powers = (moved + SMALL) ** (1 + softplus(sharpness[0]))
        return powers / powers.sum()
