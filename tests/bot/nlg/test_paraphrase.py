"""Paraphrases: liars are caught, honest ones pass, late, busy and failing models cost nothing, a tiny model works."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.nlg.paraphrase import ParaphrasePool, ParaphraseSettings
from bot.nlg.paraphrase_check import ParaphraseCheck
from bot.nlg.paraphrase_model import LanguageModel, ParaphraseModelError, open_pool
from bot.nlg.templates import Wording

VALUES = ("thai", "welsh", "cheap", "moderate", "centre", "north", "Siam Orchid", "Ploy's", "vegan", "romantic")
CHECK = ParaphraseCheck(VALUES)
TEXT = "Siam Orchid serves thai food in the centre. Shall I book a table for 2 at 19:30? The phone is 01632 960 914."
FACTS = ("Siam Orchid", "thai", "centre", "2", "19:30", "01632 960 914")
HONEST = (
    "Thai food in the centre: Siam Orchid. Would you like a table for 2 at 19:30? Its phone is 01632 960 914.",
    "In the centre there is Siam Orchid with thai food. A table for 2 at 19:30, shall I? Its phone is 01632 960 914.",
)


@pytest.mark.parametrize(
    ("original", "paraphrase"),
    [
        (TEXT, "How about Siam Orchid, thai food in the centre, for 2 at 19:30? Their phone is 01632 960 914."),
        ("What kind of food would you like?", "Which food do you fancy?"),
        ("Sorry, there is no welsh place in the north.", "I'm afraid I can't find a welsh place in the north."),
        ("Your table for two is booked.", "That's a table for 2, all booked."),
        ("You're welcome. Anything else?", "Happy to help. Can I do anything more?"),
        ("Hello {name}, welcome back.", "Good to see you again, {name}."),
    ],
)
def test_honest_paraphrases_pass(original: str, paraphrase: str) -> None:
    assert CHECK.complaint(original, paraphrase) is None


LIES = {
    "another digit": lambda t: t.replace("960 914", "960 915"),
    "another time": lambda t: t.replace("19:30", "19:00"),
    "another number": lambda t: t.replace("for 2", "for three"),
    "numbers that change places": lambda t: t.replace("for 2 at 19:30", "at 19:30 for 2"),
    "no number": lambda t: t.replace(" for 2", ""),
    "another name": lambda t: t.replace("Siam Orchid", "Ploy's"),
    "no name": lambda t: t.replace("Siam Orchid", "It"),
    "an unknown name": lambda t: t.replace("Siam Orchid", "Siam Orchid near Luigi"),
    "a sentence about somebody": lambda t: f"{t} Luigi says hello.",
    "another value": lambda t: t.replace("hai", "elsh"),
    "a value more": lambda t: t.replace("food", "vegan food"),
    "another place": lambda t: t.replace("centre", "north"),
    "a denial": lambda t: t.replace("food", "food, not the best,"),
    "no question": lambda t: t.replace("?", "."),
    "a day": lambda t: t.replace("19:30", "19:30 on friday"),
    "a price": lambda t: f"{t} It costs £.",
    "a placeholder": lambda t: f"{t} {{name}}",
    "a link": lambda t: f"{t} See http://example.org.",
    "a second line": lambda t: f"{t}\nText: more",
    "a lot more": lambda t: t + " and so on" * 40,
    "nothing": lambda t: " ",
}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(HONEST), st.lists(st.sampled_from(sorted(LIES)), min_size=1, max_size=3, unique=True))
def test_a_lying_generator_is_always_caught(honest: str, lies: list[str]) -> None:
    assert CHECK.complaint(TEXT, honest, FACTS) is None
    for lie in lies:
        assert CHECK.complaint(TEXT, LIES[lie](honest), FACTS) is not None, lie
        honest = LIES[lie](honest)


class Writer:
    """A generator that gives what it is told, after ``seconds`` or when ``go`` is set."""

    def __init__(self, *written: str, error: Exception | None = None, go: threading.Event | None = None) -> None:
        self.written, self.error, self.go, self.calls = written, error, go, 0

    def write(self, text, count, seconds, seed):
        self.calls += 1
        if self.go is not None:
            assert self.go.wait(10)
        if self.error is not None:
            raise self.error
        return list(self.written)


def test_the_pool_gives_checked_wordings_once_each_and_asks_once_for_a_text() -> None:
    lies = [lie(HONEST[0]) for lie in LIES.values()]
    writer = Writer(TEXT, *lies, HONEST[0], f" {HONEST[0]} ", HONEST[1])
    pool = ParaphrasePool(writer, CHECK, ParaphraseSettings(seconds=5.0))
    assert pool.candidates(TEXT, FACTS) == HONEST
    assert pool.candidates(TEXT, FACTS) == HONEST
    assert writer.calls == 1
    assert pool.refused["lying"] == len(LIES)
    said = [Wording("offer#1", TEXT), Wording("offer#2", HONEST[1])]
    assert pool.extended(said, FACTS) == [*said, Wording("offer#1~1", HONEST[0])]


def test_a_late_model_costs_its_time_box_and_no_more_and_serves_the_next_time() -> None:
    go = threading.Event()
    writer = Writer(HONEST[0], go=go)
    pool = ParaphrasePool(writer, CHECK, ParaphraseSettings(seconds=0.05))
    started = time.perf_counter()
    assert pool.candidates(TEXT, FACTS) == ()
    assert pool.candidates("Another text.") == ()  # busy: it doesn't even wait
    assert time.perf_counter() - started < 5
    assert pool.refused == {"late": 1, "busy": 1}
    assert writer.calls == 1
    go.set()
    with pool._idle:  # until the model is done
        pass
    assert pool.candidates(TEXT, FACTS) == HONEST[:1]


def test_a_model_that_throws_is_an_empty_pool_and_is_asked_again() -> None:
    writer = Writer(error=RuntimeError("out of memory"))
    pool = ParaphrasePool(writer, CHECK, ParaphraseSettings(seconds=5.0))
    assert pool.candidates(TEXT) == ()
    writer.error, writer.written = None, (HONEST[0],)
    with pool._idle:
        pass
    assert pool.candidates(TEXT) == HONEST[:1]
    assert pool.refused["failed"] == 1


def test_settings_and_models_that_can_not_be_are_named(tmp_path) -> None:
    with pytest.raises(ValueError, match="late_seconds"):
        ParaphraseSettings(seconds=9.0)
    with pytest.raises(ParaphraseModelError, match="can't be opened as a language model"):
        LanguageModel.load(str(tmp_path))
    assert open_pool(ParaphraseSettings(), VALUES) is None
    with pytest.raises(ParaphraseModelError, match="can't be opened"):
        open_pool(ParaphraseSettings(model=str(tmp_path)), VALUES)
    with pytest.raises(ParaphraseModelError, match=r"\{text\}"):
        LanguageModel.load(str(tmp_path), prompt="Paraphrase!")


def tiny_model(folder, lines) -> None:
    """A GPT-2 of some thousand parameters that knows ``lines`` by heart, and its tokenizer, as files."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(lines, trainers.WordLevelTrainer(special_tokens=["<unk>", "<end>"]))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<end>", pad_token="<end>")
    config = GPT2Config(
        vocab_size=len(fast), n_positions=64, n_embd=32, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=1,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    batch = fast([f"{line} <end>" for line in lines], return_tensors="pt", padding=True)
    for _ in range(60):
        loss = model(**batch, labels=batch["input_ids"]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    fast.save_pretrained(folder)


def test_a_tiny_language_model_paraphrases_what_it_knows_and_its_lie_is_refused(tmp_path, monkeypatch) -> None:
    prompt = "Same: {text} ->"
    known = {
        "What food would you like?": "Which food do you fancy?",
        "Siam Orchid is in the centre.": "Siam Orchid is in the north.",
    }
    tiny_model(tmp_path, [f"{prompt.replace('{text}', text)} {other}" for text, other in known.items()])
    model = LanguageModel.load(str(tmp_path), prompt=prompt, temperature=0.0)
    pool = ParaphrasePool(model, CHECK, ParaphraseSettings(seconds=30.0, late_seconds=30.0))
    truth, lie = known
    assert model.write(lie, 1, 30.0, 0) == [known[lie]]
    assert pool.candidates(truth) == (known[truth],)
    assert pool.candidates(lie, ("Siam Orchid", "centre")) == ()
    assert pool.refused["lying"] == 1
    drawn = LanguageModel.load(str(tmp_path), prompt=prompt, temperature=1.0)
    assert drawn.write(truth, 3, 30.0, 7) == drawn.write(truth, 3, 30.0, 7)
    assert drawn.write("word " * 100, 3, 30.0, 0) == ()  # longer than what the model has room for
