"""The constrained sentence task: seeded word lists and a rule that says whether a sentence keeps to them.

1. Each problem draws nouns, past-tense verbs and adjectives in turn, so that one sentence can hold them
   all.
2. The policy is asked for one sentence of 6 to 12 words with all of them.
3. The grade is 1 if every factor of the rule is 1, else 0; nothing is secret, so a reward may use the same
   rule.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

from branchwise.orchestrator.core.answers import to_answer
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.tasks.constrained_sentence.verifier import MAX_WORDS, MIN_WORDS, sentence_of, verdict
from branchwise.tasks.constrained_sentence.words import ADJECTIVES, NOUNS, VERBS

_KINDS: Final = (NOUNS, VERBS, ADJECTIVES, NOUNS, ADJECTIVES, NOUNS)
_MAX_MISSES: Final = 10_000


class Options(_Options):
    """Which problems are drawn."""

    kind: Literal["constrained_sentence"] = "constrained_sentence"
    words: int = Field(4, ge=1, le=len(_KINDS), description="Words that the sentence must contain.")
    count: int = Field(100, gt=0, le=100_000, description="Number of problems.")
    seed: int | None = Field(None, description="Which problems; default: the run's seed.")


class ConstrainedSentenceTask:
    """A fixed list of word lists."""

    name = "constrained_sentence"

    def __init__(self, word_lists: list[tuple[str, ...]]) -> None:
        self._words = {"sentence-" + "-".join(words): words for words in word_lists}

    def problems(self) -> Iterator[Problem]:
        """The problems, in the order in which they were drawn."""
        for problem_id, words in self._words.items():
            text = (
                f"Write one sentence of {MIN_WORDS} to {MAX_WORDS} words that contains all of these words: "
                f"{', '.join(words)}. Write only the sentence."
            )
            yield Problem(problem_id, (user(text),), {"words": " ".join(words)})

    def answer(self, trajectory: Trajectory) -> Answer | None:
        """The sentence, once the policy has ended."""
        return to_answer(sentence_of(trajectory.text)) if trajectory.terminal else None

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        """1 if the rule is kept in every factor; KeyError for a problem that is not of this task."""
        factors = verdict(sentence_of(answer or ""), self._words[problem_id])
        return Grade(float(all(value == 1 for value in factors.values())))


def build(options: Options, *, seed: int = 0) -> ConstrainedSentenceTask:
    """The task; ``seed`` is used where the options set none. ConfigError if there are too few word lists."""
    rng = random.Random(options.seed if options.seed is not None else seed)
    found: dict[frozenset[str], tuple[str, ...]] = {}
    misses = 0
    while len(found) < options.count:
        words = tuple(rng.choice(kind) for kind in _KINDS[: options.words])
        if len(set(words)) < options.words or frozenset(words) in found:
            misses += 1
            if misses > _MAX_MISSES:
                raise ConfigError(f"constrained_sentence: no {options.count} different lists of {options.words}")
            continue
        found[frozenset(words)] = words
    return ConstrainedSentenceTask(list(found.values()))
