"""``rejoinder chat``: the bot in a terminal."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.markup import escape

from bot.app import Bot, build
from bot.config import Config
from bot.conversations import Conversations, TurnError
from bot.rasa.reading.files import is_rasa_project
from bot.report import console
from memory.belief import top_values
from memory.dialogue import BotResponse, UserMessage
from memory.events import Decided, TrackerEvent, UserUttered

if TYPE_CHECKING:
    from bot.rasa.app import RasaBot

_HELP = "/quit ends, /restart forgets, /why shows the last decision; buttons are answered by their number"


Explain = Callable[[str], None]
"""Prints why the last turn of a conversation went as it did."""


def chat(config: Config, *, debug: bool) -> None:
    """Read lines from the terminal until /quit or end of file."""
    bot: Bot | RasaBot
    explain: Explain
    if is_rasa_project(config.assistant):
        from bot.rasa.app import build_rasa

        bot = project = build_rasa(config)
        name, policy, explain = config.name, "stories", lambda conversation: explain_actions(project, conversation)
    else:
        bot = assistant = build(config)
        name, policy = assistant.assistant.name, assistant.engine.policy.name
        explain = lambda conversation: explain_belief(assistant, conversation)  # noqa: E731
    console.print(f"[dim]{name}, policy {policy}. {_HELP}[/dim]")
    try:
        asyncio.run(_talk(bot.conversations, f"terminal-{uuid.uuid4().hex[:12]}", explain, debug))
    except (KeyboardInterrupt, EOFError):
        console.print()
    finally:
        bot.close()


async def _talk(conversations: Conversations, conversation: str, explain: Explain, debug: bool) -> None:
    replies: list[BotResponse] = []
    while True:
        text = (await asyncio.to_thread(console.input, "[bold]you[/bold]  ")).strip()
        if text in ("/quit", "/exit"):
            return
        if text == "/why":
            explain(conversation)
            continue
        text = _button(text, replies) or text
        if not text:
            continue
        message = UserMessage(conversation, text, channel="terminal", timestamp=time.time())
        try:
            replies = await conversations.handle(message)
        except TurnError as error:
            console.print(f"[red]{escape(str(error))}[/red]")
            continue
        for reply in replies:
            said = reply.text or reply.image or "(no text)"
            console.print(f"[bold cyan]bot[/bold cyan]  {escape(said)}", highlight=False)
            for number, button in enumerate(reply.buttons, start=1):
                console.print(f"       [{number}] {button.title}", style="dim", markup=False, highlight=False)
        if debug:
            explain(conversation)


def _button(text: str, replies: list[BotResponse]) -> str | None:
    buttons = [button for reply in replies for button in reply.buttons]
    for number, button in enumerate(buttons, start=1):
        if text == f"[{number}]" or text.lower() == button.title.lower() or (text == str(number) and len(text) == 1):
            plain_number = text.isdigit() and any(b.title.isdigit() for b in buttons)
            if not plain_number or text == button.title:
                return button.payload
    return None


def explain_belief(bot: Bot, conversation: str) -> None:
    """Print the last turn's acts, the belief's top values and the action values."""
    events = bot.conversations.store.load(conversation)
    heard = [event for event in events if isinstance(event, UserUttered)]
    decided = [event for event in events if isinstance(event, Decided)]
    if not heard:
        console.print("[dim]nothing was said yet[/dim]")
        return
    state = bot.conversations.state(conversation)
    acts = escape(", ".join(f"{s.act} {s.confidence:.2f}" for s in heard[-1].nlu.acts))
    index, probability = top_values(bot.assistant.ontology, state.belief)
    values = bot.assistant.ontology.values
    belief = ", ".join(
        f"{'='.join(values[v])} {p:.2f}" for v, p in zip(index[0], probability[0], strict=True) if p > 0.05
    )
    decision = decided[-1].decision
    names = bot.engine.space.names
    worth = sorted(((v, n) for v, n in zip(decision.values, names, strict=False) if v == v), reverse=True)[:4]  # noqa: PLR0124
    console.print(f"[dim]     acts    {acts or 'none'} (mood {state.mood:+.2f})[/dim]", highlight=False)
    console.print(f"[dim]     belief  {belief or 'nothing known'}[/dim]", highlight=False)
    shown = ", ".join(f"{n} {v:.2f}" for v, n in worth)
    console.print(f"[dim]     {decision.policy}: {decision.action}   {shown}[/dim]", highlight=False)


def explain_actions(bot: RasaBot, conversation: str) -> None:
    """Print the last turn's intent and entities, who chose which action, and the slots that are set."""
    events = bot.conversations.store.load(conversation)
    heard = [number for number, event in enumerate(events) if isinstance(event, UserUttered)]
    if not heard:
        console.print("[dim]nothing was said yet[/dim]")
        return
    for event in events[heard[-1] :]:
        if isinstance(event, UserUttered):
            intent = ", ".join(f"{name} {p:.2f}" for name, p in event.nlu.intents[:3])
            entities = ", ".join(f"{entity.name}={entity.value}" for entity in event.nlu.entities)
            console.print(f"     intent  {intent or 'none'}  {entities}", style="dim", markup=False, highlight=False)
        elif isinstance(event, TrackerEvent):
            told = ", ".join(f"{key} {value}" for key, value in event.fields.items() if value is not None)
            console.print(f"     {event.name}  {told}", style="dim", markup=False, highlight=False)
    slots = {name: value for name, value in bot.conversations.state(conversation).slots.items() if value is not None}
    console.print(f"     slots   {slots or 'none set'}", style="dim", markup=False, highlight=False)
