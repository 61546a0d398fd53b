"""Run by Rasa's interpreter: how conversations look to our policy there, as the last line of output."""

import json
import sys


def main(domain_file: str, conversations: list) -> None:
    from rasa.core.featurizers.tracker_featurizers import MaxHistoryTrackerFeaturizer
    from rasa.shared.core.domain import Domain
    from rasa.shared.core.events import Event
    from rasa.shared.core.trackers import DialogueStateTracker
    from rejoinder_rasa.policy import _readable

    domain = Domain.load(domain_file)
    featurizer, seen = MaxHistoryTrackerFeaturizer(max_history=20), []
    for told in conversations:
        events = [Event.from_parameters(event) for event in told]
        tracker = DialogueStateTracker.from_events("ann", events, domain.slots)
        (states,) = featurizer.prediction_states([tracker], domain, ignore_rule_only_turns=True)
        seen.append([_readable(state, domain) for state in states])
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
