"""Rules decide first, memory where a story is the same, and what was learned elsewhere."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from policies.stories.ensemble import FALLBACK, FallbackSettings, Situation, StoryEnsemble
from policies.stories.memorised import MemorisedPolicy
from policies.stories.rules import Rule, RulePolicy, RuleState
from policies.stories.state import LISTEN, History, StoryExample, StoryPrediction, StoryState

START = StoryState()
ASKED = StoryState("ask", previous_action=LISTEN)
FORM = "form"


def heard(intent: str, **told: object) -> StoryState:
    return replace(StoryState(intent, previous_action=LISTEN), **told)  # type: ignore[arg-type]


def done(action: str, intent: str = "ask", **told: object) -> StoryState:
    return replace(StoryState(intent, previous_action=action), **told)  # type: ignore[arg-type]


def rule(action: str, *states: RuleState) -> Rule:
    return Rule(states, action, name=f"does {action}", file="rules.yml", line=1)


def on(intent: str, slots: dict[str, str | None] | None = None, loop: str | None = None) -> RuleState:
    return RuleState(LISTEN, intent, slots=tuple((slots or {}).items()), active_loop=loop)


class Says:
    """A learned policy that always says the same."""

    name = "learned"

    def __init__(self, **probabilities: float) -> None:
        self.probabilities = probabilities

    def predict(self, history: History) -> StoryPrediction:
        return StoryPrediction(self.probabilities, self.name)


NAMES = st.sampled_from(["a", "b", None])
STATES = st.builds(
    StoryState,
    intent=NAMES,
    previous_action=st.sampled_from([LISTEN, "a", "b"]),
    slots=st.dictionaries(st.sampled_from(["s", "t"]), st.sampled_from(["set", "x"])),
    active_loop=NAMES,
)


@given(st.lists(STATES, min_size=1, max_size=3), st.lists(STATES, max_size=3))
def test_a_rule_of_a_history_applies_to_every_history_that_ends_so(
    told: list[StoryState], before: list[StoryState]
) -> None:
    states = tuple(RuleState(s.previous_action, s.intent, (), tuple(s.slots.items()), s.active_loop) for s in told)
    assert rule("x", *states).applies([*before, *told])
    longer = [replace(s, slots={**s.slots, "u": "set"}) for s in told]
    assert rule("x", *states).applies([*before, *longer]), "what a rule doesn't mention may be anything"
    assert not rule("x", *states).applies([*before, *told[:-1], replace(told[-1], previous_action="other")])
    forbidden = replace(states[-1], slots=(*states[-1].slots, ("u", None)))
    assert not rule("x", *states[:-1], forbidden).applies([*before, *longer])


def test_the_longest_and_most_demanding_rule_wins() -> None:
    after = (RuleState("greet"), on("ask"))
    policy = RulePolicy([rule("any", on("ask")), rule("slot", on("ask", {"s": "set"})), rule("after", *after)])
    assert policy.decide([START, ASKED]).action == "any"
    assert policy.decide([START, replace(ASKED, slots={"s": "set"})]).action == "slot"
    assert policy.decide([START, done("greet"), replace(ASKED, slots={"s": "set"})]).action == "after"
    assert policy.decide([START, heard("else")]).action is None


def test_rules_about_the_beginning_apply_there_only() -> None:
    policy = RulePolicy([rule("hello", RuleState(None), on("ask"))])
    assert policy.decide([START, ASKED]).action == "hello"
    assert policy.decide([START, heard("x"), done("y"), ASKED]).action is None


def test_default_actions_come_before_rules_and_loops() -> None:
    policy = RulePolicy([rule("mine", on("restart"))])
    assert policy.decide([START, heard("restart", active_loop=FORM)]).action == "action_restart"


def test_a_form_runs_until_it_rejects_and_comes_back_after_an_answer() -> None:
    policy = RulePolicy([rule("answer", on("ask")), rule(LISTEN, on("ask"), RuleState("answer", "ask"))])
    inside = replace(ASKED, active_loop=FORM)
    assert policy.decide([START, inside]).action == FORM
    assert policy.decide([START, inside, done(FORM, active_loop=FORM)]).action == LISTEN
    assert policy.decide([START, inside], loop_rejected=True).action == "answer"
    answered = [START, inside, done("answer", active_loop=FORM)]
    assert policy.decide(answered, loop_rejected=True).action == FORM
    assert policy.decide([START, ASKED, done("answer")]).action == LISTEN


def test_stories_say_how_to_leave_a_form_and_that_it_skips_a_message() -> None:
    inside, sure = replace(ASKED, active_loop=FORM), done("sure", active_loop=FORM)
    yes = heard("yes", active_loop=FORM)
    story = [StoryExample((START, inside, sure), LISTEN), StoryExample((START, inside, sure, yes), FORM)]
    general = rule(LISTEN, on("ask"), RuleState("sure", "ask"))
    assert RulePolicy([general]).decide([START, inside, sure], loop_rejected=True).action == FORM
    policy = RulePolicy([general], story)
    assert policy.decide([START, inside, sure], loop_rejected=True).action == LISTEN
    assert policy.decide([START, inside, sure, yes], loop_rejected=True).interrupted
    assert not policy.decide([START, inside, done("other", active_loop=FORM), yes], loop_rejected=True).interrupted


def test_contradictions_name_both_sides() -> None:
    policy = RulePolicy([rule("answer", on("ask"))])
    agrees, differs = StoryExample((START, ASKED), "answer", "yes"), StoryExample((START, ASKED), "other", "no")
    (found,) = policy.contradictions([(agrees, "stories.yml", 3), (differs, "stories.yml", 9)])
    assert str(found).startswith("stories.yml:9: 'no' does other where the rule 'does answer' (rules.yml:1)")


def test_memory_wants_the_same_states_and_one_answer() -> None:
    greeted = (START, heard("hi"), done("hello", "hi"), ASKED)
    policy = MemorisedPolicy([StoryExample(greeted, "answer")], max_history=3)
    assert policy.predict(greeted).best == ("answer", 1.0)
    assert policy.predict((heard("x"), done("y"), *greeted[1:])).best == ("answer", 1.0), "older states don't count"
    assert policy.predict((START, heard("hi"), done("bye", "hi"), ASKED)).best == (None, 0.0)
    torn = MemorisedPolicy([StoryExample(greeted, "answer"), StoryExample(greeted, "other")])
    assert torn.predict(greeted).best == (None, 0.0)


def test_a_forgetful_memory_begins_anew() -> None:
    examples = [StoryExample((START, ASKED), "answer"), StoryExample((START, ASKED, done("answer")), LISTEN)]
    strict, forgetful = MemorisedPolicy(examples), MemorisedPolicy(examples, forgetful=True)
    slots = {"old": "set"}
    later = (START, heard("hi", slots=slots), done("hello", "hi", slots=slots), replace(ASKED, slots=slots))
    assert strict.predict(later).best == (None, 0.0)
    assert forgetful.predict(later).best == ("answer", 1.0)
    set_now = (*later[:-1], replace(ASKED, slots={**slots, "new": "set"}))
    assert forgetful.predict(set_now).best == (None, 0.0), "what is set now is not forgotten"


def test_the_ensembles_order_and_its_fallback() -> None:
    rules = RulePolicy([rule("by_rule", on("ask"))])
    memory = MemorisedPolicy([StoryExample((START, ASKED), "by_heart"), StoryExample((START, heard("hi")), "by_heart")])
    ensemble = StoryEnsemble(rules, memory, Says(learned=0.8))
    ask, hi, new = (Situation((START, s), (START, s)) for s in (ASKED, heard("hi"), heard("new")))
    assert [ensemble.choose(s).action for s in (ask, hi, new)] == ["by_rule", "by_heart", "learned"]
    rejected = replace(ask, rejected_action="by_rule")
    assert ensemble.choose(rejected).action == "by_heart"
    unsure = StoryEnsemble(rules, memory, Says(learned=0.2, other=0.1))
    assert (unsure.choose(new).action, unsure.choose(new).confidence) == (FALLBACK, 0.3)
    never = StoryEnsemble(rules, memory, Says(learned=0.2), fallback=FallbackSettings(enabled=False))
    assert never.choose(new).action == "learned"
    assert StoryEnsemble(None, fallback=FallbackSettings(enabled=False)).choose(new).action == LISTEN


def test_turns_of_rules_that_no_story_has_are_hidden_and_unknown_slots_are_not_looked_at() -> None:
    told = StoryExample((START, ASKED), "answer")
    rules = RulePolicy([rule("answer", on("ask")), rule("aside", on("aside"))], [told])
    ensemble = StoryEnsemble(rules, MemorisedPolicy([told]), examples=[told])
    assert not ensemble.choose(Situation((START, ASKED), (START, ASKED))).hidden
    assert ensemble.choose(Situation((START, heard("aside")), (START, heard("aside")))).hidden
    odd = replace(ASKED, slots={"of_no_story": "set"}, active_loop=None)
    alone = StoryEnsemble(None, MemorisedPolicy([told]), examples=[told])
    assert alone.choose(Situation((START, odd), (START, odd))).action == "answer"
