"""What most assistants are not about: sentences and letter salad that teach the intent model to doubt itself.

Outlier exposure (Hendrycks et al. 2019): a label of its own takes the probability of what resembles nothing taught.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bot.nlu.linear import FloatArray

BACKGROUND = "__background__"
"""The label's name; it is never told to anyone."""
NEAR = 0.45
"""A background sentence whose cosine to a training sentence is above this may be what the project is about."""
_SALAD = 24
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SENTENCES = (
    "my neighbour paints his fence blue every spring", "the capital of Mongolia is Ulan Bator",
    "how tall is the Eiffel tower", "who won the football world cup in 1974", "penguins cannot fly",
    "translate this sentence into Latin", "sing me a song about the sea", "what is the square root of 81",
    "my cat is asleep on the keyboard", "define entropy", "why is the sky blue", "when did the Roman empire fall",
    "the train to Hamburg was late again", "recommend a novel from the nineteenth century",
    "how do I fix a flat bicycle tyre", "write a poem about autumn", "what is the meaning of life",
    "the moon is made of cheese", "which planets have rings", "how many legs does a spider have",
    "turn on the lights in the kitchen", "play some jazz", "set an alarm for six", "remind me to water the plants",
    "what does my horoscope say", "do you like broccoli", "lend me your umbrella", "he plays chess on Thursdays",
    "photosynthesis happens in leaves", "which shoes go with a grey suit", "our teacher retired last year",
    "is it legal to park here", "how do I knit a scarf", "my printer is out of ink", "the river froze in January",
    "tell me the plot of Hamlet", "what is a transistor", "bake a chocolate cake", "she speaks four languages",
    "where do elephants sleep", "the stock market fell sharply", "convert twelve miles to kilometres",
    "who painted the Mona Lisa", "explain quantum mechanics", "the museum is closed for repairs",
    "grandfather collects old stamps", "can dogs eat grapes", "give me a riddle",
)  # fmt: skip


def background(seed: int, *, few: bool) -> list[str]:
    """Everyday sentences about this and that, and words that are none (``few``: half of them); fixed by ``seed``."""
    rng = np.random.default_rng(seed)
    salad = []
    for _ in range(_SALAD):
        lengths = rng.integers(3, 9, size=rng.integers(1, 4))
        salad.append(" ".join("".join(rng.choice(list(_LETTERS), size=n)) for n in lengths))
    return [*_SENTENCES, *salad][:: 2 if few else 1]


def far_from(own: FloatArray, others: FloatArray) -> Sequence[int]:
    """Positions of those rows of ``others`` (M, D) that resemble none of ``own`` (N, D); all are unit vectors."""
    nearest = (others @ own.T).max(axis=1)
    return [int(i) for i in np.flatnonzero(nearest < NEAR)]
