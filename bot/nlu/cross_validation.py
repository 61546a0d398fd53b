"""How well intents are told apart on sentences held out: the measure by which the NLU's training is tuned."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from bot.assistant import Assistant
from bot.nlu.augment import with_typos
from bot.nlu.encoder import Encoder
from bot.nlu.gazetteer import assistant_surfaces, common_words
from bot.nlu.intents import sparse_row
from bot.nlu.phrases import indifference
from bot.nlu.settings import NLUTraining
from bot.nlu.train import FOLDS, REFERENCE, fit_head, folds, neighbours, slot_nouns, slot_reader, training_corpus

JUDGING_SEED = 909
"""Of the misspellings that judge: the same for every setting, and none of those that are trained on."""


def intent_accuracy(
    assistant: Assistant,
    encoder: Encoder,
    training: NLUTraining,
    seed: int = 0,
    each_fold: Callable[[int, float], None] = lambda fold, accuracy: None,
) -> float:
    """Cross-validated accuracy of the intents, half of it on sentences as written, half on misspelt copies of them.

    Both are the same for all settings, so that these can be compared; ``each_fold`` hears the mean so far.
    """
    surfaces = assistant_surfaces(assistant)
    nouns = indifference(assistant.examples, slot_nouns(assistant, surfaces))
    reader = slot_reader(assistant, encoder, surfaces, common_words(assistant), nouns)
    corpus = training_corpus(assistant, reader, random.Random(seed), training)
    asked, misspelt = set(corpus.asked), set(corpus.misspelt)
    chosen = [i for i in range(len(corpus.examples)) if i not in asked]
    typing = random.Random(JUDGING_SEED)
    written = [i for i in chosen if i not in misspelt]
    copies = [(i, with_typos(corpus.examples[i], typing)) for i in written]
    judged = [(i, copy) for i, copy in copies if copy is not None]
    intents = [example.intent.split("/", maxsplit=1)[0] for example in corpus.examples]
    labels = tuple(sorted({intents[i] for i in chosen}))
    targets = np.array([labels.index(intents[i]) for i in chosen])
    wrong_targets = np.array([labels.index(intents[i]) for i, _ in judged])
    dense = encoder.encode([corpus.examples[i].text for i in chosen])
    wrong_dense = encoder.encode([copy.text for _, copy in judged])
    hashed = [sparse_row(corpus.sentences[i]) for i in chosen]
    wrong_hashed = [sparse_row(reader.prepare(copy.text, REFERENCE)) for _, copy in judged]
    of_original = folds([corpus.examples[i].intent for i in corpus.origin], seed)
    fold = of_original[[corpus.origin[i] for i in chosen]]
    wrong_fold = of_original[[i for i, _ in judged]]
    clean = np.array([i not in misspelt for i in chosen])
    origin = np.array([corpus.origin[i] for i in chosen])
    right: list[list[bool]] = [[], []]
    for number in range(FOLDS):
        train = np.flatnonzero(fold != number)
        near, inputs = neighbours(dense[train], targets[train], origin[train], clean[train], len(labels))
        head = fit_head(labels, inputs, [hashed[i] for i in train], targets[train], training=training)
        for kind, (rows, vectors, grams, truth) in enumerate((
            (np.flatnonzero((fold == number) & clean), dense, hashed, targets),
            (np.flatnonzero(wrong_fold == number), wrong_dense, wrong_hashed, wrong_targets),
        )):  # fmt: skip
            features = np.concatenate([vectors[rows], near.features(vectors[rows])], axis=1)
            best = head.logits(features, [grams[i] for i in rows]).argmax(axis=1)
            right[kind] += (best == truth[rows]).tolist()
        each_fold(number, float(np.mean([np.mean(kind) for kind in right if kind])))
    return float(np.mean([np.mean(kind) for kind in right if kind]))
