"""All wiring: from a configuration to a bot that can answer. A part of your own is passed in as an argument."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bot.assistant import Assistant, load_assistant
from bot.batch.served_scores import SCORES, BatchScores
from bot.channels.push import PushChannel
from bot.channels.slack_settings import SlackSettings
from bot.config import Config, ConfigError
from bot.conversations import Conversations
from bot.engine import Engine, Understand
from bot.learning.settings import tuned_setting
from bot.learning.versions import PolicyVersions
from bot.learning.watch import PolicyWatcher
from bot.limits import ServerSettings
from bot.nlg.paraphrase import ParaphrasePool, ParaphraseSettings
from bot.nlu.pipeline import NLU
from bot.nlu.pool import NLUPool
from bot.recall import RESPONSES, Recall
from bot.remembering import StatementMemory
from bot.selection import Selection
from bot.selection_store import SelectionVersions, load_selection
from bot.selection_watch import SelectionWatcher
from bot.shortcuts import parse_shortcut
from bot.story_statements import StoryStatements
from memory.dialogue import NLUResult
from memory.dnc.reader import StoryMemory
from memory.store import EventStore
from memory.store_opening import open_store
from policies.actions import ActionSpace, MaskThresholds
from policies.export import OnnxPolicy
from policies.policy import Policy, RandomPolicy
from policies.rule import RulePolicy
from policies.social import SocialPolicy, SocialThresholds
from policies.stack import rules_first
from policies.thresholds import rule_policy


@dataclass(frozen=True)
class Bot:
    """A wired bot; ``close`` it at the end."""

    config: Config
    assistant: Assistant
    nlu: NLU
    understand: NLUPool
    engine: Engine
    conversations: Conversations

    async def parse(self, text: str) -> NLUResult:
        """What one text means outside any conversation, shortcuts included."""
        return parse_shortcut(text, self.assistant.ontology) or await self.understand.parse(text)

    def close(self) -> None:
        """Stop the NLU's threads and close the store."""
        self.understand.close()
        self.conversations.close()


def build(
    config: Config,
    *,
    assistant: Assistant | None = None,
    policy: Policy | None = None,
    understand: Understand | None = None,
    store: EventStore | None = None,
    memory: StatementMemory | None = None,
) -> Bot:
    """Load everything that ``config`` names; raises the errors listed in ``bot.errors``.

    With a ``memory`` (default: the model that ``memory.model`` names, if any) the bot keeps what users state, and
    answers questions about it (``bot.recall``). An assistant whose domain has no ``utter_memory_*`` response does not
    take the model: it would have no words for it.
    """
    assistant = assistant or load_assistant(config.assistant)
    chosen = policy or build_policy(config.policy.name, config, assistant)
    readers = [NLU.load(config.model_dir, assistant) for _ in range(config.nlu.threads)]
    pool = NLUPool(readers)
    if memory is None and config.memory.model is not None and any(name in assistant.responses for name in RESPONSES):
        memory = StoryStatements(StoryMemory.load(config.memory.model))
    engine = Engine(
        assistant,
        understand or pool.parse,
        chosen,
        SocialPolicy(assistant.ontology, thresholds(config)),
        config.seed,
        ActionSpace(assistant.ontology, mask_thresholds(chosen)),
        Recall(assistant, memory) if memory is not None or assistant.task.preferences else None,
        build_selection(config, assistant, paraphrase_pool(config, assistant)),
    )
    if store is None:
        config.data.mkdir(parents=True, exist_ok=True)
        store = open_store(config.store_address)
    return Bot(config, assistant, readers[0], pool, engine, Conversations(engine, store, forget=engine.forget))


def build_policy(name: str, config: Config, assistant: Assistant) -> Policy:
    """The policy called ``name`` (learned, rule, stack or random); ValueError for another name.

    The learned one is the version to be served now (``bot.learning.versions``). ConfigError when ``policy.rules``
    names an unknown action.
    """
    match name:
        case "learned":
            return OnnxPolicy.load(PolicyVersions(config.model_dir / "policy").served(), assistant.ontology)
        case "rule" if config.policy.thresholds == "tuned":
            return rule_policy(assistant.ontology, tuned_setting(config.model_dir, assistant.ontology))
        case "rule":
            return RulePolicy(assistant.ontology)
        case "stack":
            rest = build_policy("learned", config, assistant)
            try:
                return rules_first(RulePolicy(assistant.ontology), config.policy.rules, rest)
            except ValueError as error:
                raise ConfigError(f"policy.rules: {error}") from None
        case "random":
            return RandomPolicy()
        case _:
            raise ValueError(f"no policy is called {name!r}: learned, rule, stack or random")


def build_selection(config: Config, assistant: Assistant, paraphrases: ParaphrasePool | None) -> Selection:
    """How venues and wordings are chosen, with what was learned about it so far."""
    scores = BatchScores(config.model_dir / SCORES)
    return load_selection(config.selection, config.model_dir / "selection", assistant.ontology, scores, paraphrases)


def paraphrase_pool(config: Config, assistant: Assistant) -> ParaphrasePool | None:
    """The language model's pool of wordings; None where it is off, and only else are its packages imported."""
    wanted = ParaphraseSettings(**config.selection.paraphrases.model_dump())
    if wanted.model is None:
        return None
    from bot.nlg.paraphrase_model import open_pool

    values = {value for _, value in assistant.ontology.values} | set(assistant.ontology.entity_names)
    return open_pool(wanted, values)


def mask_thresholds(policy: Policy) -> MaskThresholds:
    """The thresholds of the masks that a policy decides under: a tuned rule policy's own, else the defaults."""
    return policy.space.thresholds if isinstance(policy, RulePolicy) else MaskThresholds()


def slack_channel(bot: Bot, settings: SlackSettings | None) -> list[PushChannel]:
    """Slack's channel, or none where it is off; only here are Slack's packages imported."""
    if settings is None:
        return []
    from bot.channels.slack import SlackChannel

    return [SlackChannel(bot.conversations, settings)]


def policy_watcher(bot: Bot) -> PolicyWatcher | None:
    """Swaps in the versions that `rejoinder learn` promotes; None where no learned policy is served."""
    config, engine = bot.config, bot.engine
    if config.policy.name == "rule":
        return None

    def install(policy: Policy) -> None:
        engine.policy = policy

    versions = PolicyVersions(config.model_dir / "policy")

    def load() -> Policy:
        return build_policy(config.policy.name, config, bot.assistant)

    return PolicyWatcher(versions, load, install, engine.policy.version)


def selection_watcher(bot: Bot) -> SelectionWatcher:
    """Swaps in what `rejoinder train ranker` learned."""

    def install(selection: Selection) -> None:
        bot.engine.selection = selection

    versions = SelectionVersions(bot.config.model_dir / "selection")

    def load() -> Selection:
        return build_selection(bot.config, bot.assistant, bot.engine.selection.paraphrases)

    return SelectionWatcher(versions, load, install)


def thresholds(config: Config) -> SocialThresholds:
    """The social policy's settings."""
    c = config.conversation
    return SocialThresholds(c.act_threshold, c.out_of_scope_threshold, c.upset_below, c.handoff_after)


def server_settings(config: Config) -> ServerSettings:
    """The server's settings, with the inspector's token from the environment."""
    s = config.server
    return ServerSettings(
        host=s.host,
        port=s.port,
        allowed_origins=s.allowed_origins,
        inspect_token=os.environ.get("REJOINDER_INSPECT_TOKEN") or None,
        max_message_chars=s.max_message_chars,
        max_body_bytes=s.max_body_bytes,
        max_in_flight=s.max_in_flight,
        request_seconds=s.request_seconds,
        secret_file=config.data / "secret",
    )
