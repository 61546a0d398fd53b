"""A language model that paraphrases: transformers text generation, imported only when it is turned on (it needs torch).

Weights are read from safetensors, and no code that comes with a model is run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from bot.nlg.paraphrase import ParaphrasePool, ParaphraseSettings
from bot.nlg.paraphrase_check import ParaphraseCheck

PROMPT = "Say the same in other words.\nText: {text}\nOther words:"
MOST_TOKENS = 120
"""Of a paraphrase; and a prompt is cut to what the model has room for."""


class ParaphraseModelError(RuntimeError):
    """The language model can't be used; the message names it and the remedy."""


class LanguageModel:
    """Writes paraphrases with a causal language model; see ``bot.nlg.paraphrase.Generator``."""

    def __init__(self, tokenizer: Any, model: Any, *, prompt: str = PROMPT, temperature: float = 0.8) -> None:
        self._tokenizer, self._model = tokenizer, model
        self._prompt, self._temperature = prompt, temperature

    @classmethod
    def load(cls, name: str, *, prompt: str = PROMPT, temperature: float = 0.8) -> LanguageModel:
        """Open the folder ``name``, or the model of that name on the hub; ParaphraseModelError when it can't be.

        ``prompt`` holds ``{text}``; a model with a chat template is given it as the user's message. ``temperature``:
        0 gives the most probable wording alone.
        """
        if "{text}" not in prompt or temperature < 0:
            raise ParaphraseModelError("paraphrases: the prompt must hold {text}, the temperature be 0 or more")
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError:
            raise ParaphraseModelError(
                f"paraphrases by {name}: transformers and torch are needed; install rejoinder[train], or turn them off"
            ) from None
        local = Path(name).is_dir()
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=local)
            model: Any = AutoModelForCausalLM.from_pretrained(name, local_files_only=local, use_safetensors=True)
        except Exception as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ParaphraseModelError(
                f"{name}: can't be opened as a language model ({first}); name a folder with config.json, "
                "tokenizer.json and model.safetensors, or a model of the hub"
            ) from None
        return cls(tokenizer, model.eval(), prompt=prompt, temperature=temperature)

    def write(self, text: str, count: int, seconds: float, seed: int) -> Sequence[str]:
        """Up to ``count`` wordings of ``text``, the first line that the model writes each; the same for one seed."""
        import torch

        inputs = self._tokenizer(self._asked(text), return_tensors="pt", add_special_tokens=not self._chats)
        tokens = inputs["input_ids"]
        room = int(getattr(self._model.config, "max_position_embeddings", 1024)) - tokens.shape[1]
        if room < 8:
            return ()
        length = len(self._tokenizer(text)["input_ids"])
        sampled: dict[str, Any] = {"do_sample": False}
        if self._temperature > 0:
            sampled = {"do_sample": True, "temperature": self._temperature, "num_return_sequences": count}
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            written = self._model.generate(
                tokens, attention_mask=inputs["attention_mask"], max_time=seconds,
                max_new_tokens=min(2 * length + 8, MOST_TOKENS, room), pad_token_id=self._padding, **sampled,
            )  # fmt: skip
        found = self._tokenizer.batch_decode(written[:, tokens.shape[1] :], skip_special_tokens=True)
        return [line for line in map(_first_line, found) if line]

    @property
    def _chats(self) -> bool:
        return bool(getattr(self._tokenizer, "chat_template", None))

    @property
    def _padding(self) -> int | None:
        pad, end = self._tokenizer.pad_token_id, self._tokenizer.eos_token_id
        chosen = end if pad is None else pad
        return None if chosen is None else int(chosen)

    def _asked(self, text: str) -> str:
        asked = self._prompt.replace("{text}", text)
        if not self._chats:
            return asked
        message = [{"role": "user", "content": asked}]
        return str(self._tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True))


def open_pool(settings: ParaphraseSettings, values: Collection[str]) -> ParaphrasePool | None:
    """The pool that ``settings`` ask for, None when they name no model; ParaphraseModelError when it can't be opened.

    ``values``: those of the assistant's slots and the names of its entities, none of which may be lost or invented.
    """
    if settings.model is None:
        return None
    return ParaphrasePool(LanguageModel.load(settings.model), ParaphraseCheck(values), settings)


def _first_line(text: str) -> str:
    """What was written up to the first line break, without quotation marks around it."""
    line = text.strip().partition("\n")[0].strip()
    return line[1:-1].strip() if len(line) > 1 and line[0] == line[-1] == '"' else line
