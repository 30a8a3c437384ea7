"""ThinkPRM: a verifier that thinks step by step, and one probability of yes at the end of its thoughts.

1. The model is shown the problem and the numbered steps, and its answer is begun for it. It criticises step by step,
   each with ``\\boxed{correct}`` or ``\\boxed{incorrect}``; it is stopped before a step that does not exist.
2. With several ``rounds`` its thoughts are continued after a phrase that makes it look again.
3. Its thoughts are closed and the question of the decision is put. One token is drawn: the score of the whole prefix
   is exp(l_yes / T) / (exp(l_yes / T) + exp(l_no / T)), from the log-probabilities of that token.
4. ``chains`` are drawn independently and their scores averaged. One that decides nothing is drawn anew, ``retries``
   times at most. A chain that is lost, for want of a decision or by a failed call, is dropped; it has no default
   score. If all are lost the judgement is a failure.

The verdicts on steps only tell where the first error is (``step_values``, the factor ``first_wrong_step``). The value
is no reduction of them. A solution without a step is verified as an empty one and marked so (the factor ``empty``).

Khalifa et al. 2025, "Process Reward Models That Think", arXiv 2504.16828.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import cycle, islice
from statistics import fmean
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement, failed, judged
from branchwise.orchestrator.core.labels import UNDECIDED, label_chance
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.prompting import (
    SOURCE,
    Prompted,
    SamplingOptions,
    first_read,
    prompted,
    prompted_needs,
)
from branchwise.orchestrator.core.request import Draw
from branchwise.orchestrator.core.seeds import seed_by_content
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.bases import Single
from branchwise.orchestrator.rewards.step_verdicts import PROMPT, first_wrong, numbered, shares, verdicts

OPENER: Final = "Let's verify step by step:"
DECISION: Final = "Is the solution correct?"
TRIGGERS: Final = (
    "\nWait, let me look at that again.\n",
    "\nDid I overlook anything?\n",
    "\nOnce more, from the top.\n",
)
RESERVED_TOKENS: Final = 20
STEP_TOKENS: Final = 8
"""What a step's number and the gap before it may come to."""


class Options(SamplingOptions):
    """Options of the thinking verifier."""

    kind: Literal["think_prm"] = "think_prm"
    source: Literal["learned", "judge"] = Field("learned", description=SOURCE)
    placeholders: ClassVar[Placeholders] = Placeholders(("steps",), ("problem",))
    chains: int = Field(1, gt=0, description="Independent verifications, whose scores are averaged.")
    rounds: int = Field(1, gt=0, description="Times one verification looks at the solution; with one chain only.")
    temperature: float | None = Field(
        None, ge=0, description="Of the verification; default: 0, of several chains 0.7."
    )
    max_tokens: int = Field(
        8192, gt=RESERVED_TOKENS, description="Of a whole verification, 20 kept for its decision."
    )
    decision_temperature: float = Field(
        1.0, gt=0, description="T, by which the labels' log-probabilities are divided."
    )
    decision: str = Field(DECISION, min_length=1, description="The question whose answer is the score.")
    yes: str = Field("yes", min_length=1, description="The label of a correct solution, in any case.")
    no: str = Field("no", min_length=1, description="The label of a wrong one.")
    alternatives: int = Field(20, ge=2, description="Log-probabilities asked for at the label's position.")
    thinks: str = Field("<think>", description="What opens the model's thoughts; empty where it marks none.")
    has_thought: str = Field("</think>", description="What closes them.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.rounds > 1 and self.chains > 1:
            raise ValueError("several rounds go with one chain: each is another way to spend the same tokens")
        if self.chains > 1 and self.temperature == 0:
            raise ValueError("chains of temperature 0 are all the same: leave temperature out, or draw one chain")
        return self

    @property
    def temperature_in_force(self) -> float:
        """That of the verification: it depends on how many chains there are where none is given."""
        return (0.7 if self.chains > 1 else 0.0) if self.temperature is None else self.temperature


@dataclass(frozen=True, slots=True)
class Chain:
    """One verification: its thoughts and verdicts, and the score, or what kept it from one."""

    text: str
    verdicts: tuple[bool, ...] = ()
    score: float | None = None
    lost: str = ""


@dataclass(frozen=True, slots=True)
class ThinkPrm(Single[Options]):
    """Verifies prefixes and whole solutions."""

    asked: Prompted

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """All chains and their decisions; a later call's prompt holds the thoughts before it."""
        options, steps = self.options, min(max_new_tokens, max_new_steps or max_new_tokens)
        more = (2 * max_new_tokens + STEP_TOKENS * steps) * self.asked.places("steps")
        thoughts = 2 * options.max_tokens + options.rounds * len("".join(TRIGGERS))
        request = self.asked.request(
            self._prompt(trajectory), begun=self._begun("", decide=True), max_tokens=options.max_tokens
        )
        chains = options.chains * (1 + options.retries)
        used = self.asked.bound(request, chains * (options.rounds + 1), more + thoughts)
        return replace(used, completion_tokens=chains * options.max_tokens)

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """One probability; step values where the verdicts are as many as the steps."""
        chains = await together([self._decided(trajectory, number) for number in range(self.options.chains)])
        scores = [chain.score for chain in chains if chain.score is not None]
        if not scores:
            return failed(f"every verification was lost: {chains[0].lost}", self.source, chains[0].text)
        values = shares([chain.verdicts for chain in chains if chain.score is not None]) if trajectory.steps else ()
        wrong = first_wrong(values)
        factors = {
            "chains": float(len(scores)),
            "first_wrong_step": wrong,
            "empty": None if trajectory.steps else 1.0,
        }
        return replace(
            judged(fmean(scores), scale="probability", source=self.source, step_values=values),
            factors=tuple((name, float(value)) for name, value in factors.items() if value is not None),
            rationale=next(chain.text for chain in chains if chain.score is not None),
        )

    async def _decided(self, trajectory: Trajectory, number: int) -> Chain:
        """The chain of this number, or the first of its retries that decides; they have numbers of their own."""

        async def drawn(retry: int) -> Chain:
            return await self._chain(trajectory, number + retry * self.options.chains)

        return await first_read(drawn, lambda chain: chain.lost != UNDECIDED, self.options.retries)

    async def _chain(self, trajectory: Trajectory, number: int) -> Chain:
        prompt, text, last = self._prompt(trajectory), "", ""
        left = self.options.max_tokens - RESERVED_TOKENS
        try:
            for trigger in ("", *islice(cycle(TRIGGERS), self.options.rounds - 1)):
                if left < 1:
                    break
                text += trigger
                draw = await self._think(trajectory, prompt, text, left, number)
                left -= max(1, draw.usage.completion_tokens)
                last = draw.text
                text += last.rstrip()
            decided = await self._decide(prompt, text)
        except BackendError as error:
            return Chain(text, lost=str(error))
        options = self.options
        score = label_chance(decided, options.yes, options.no, options.decision_temperature, any_case=True)
        if score is None:
            return Chain(text + f"\n{self.options.decision} {decided.text}", lost=UNDECIDED)
        return Chain(text, verdicts(last, len(trajectory.steps)), score)

    async def _think(self, trajectory: Trajectory, prompt: str, text: str, tokens: int, number: int) -> Draw:
        options = self.options
        ends = (f"Step {max(1, len(trajectory.steps)) + 1}:", options.decision, options.has_thought)
        request = self.asked.request(
            prompt,
            begun=self._begun(text),
            max_tokens=tokens,
            temperature=options.temperature_in_force,
            seed=seed_by_content(options.seed, "think_prm", trajectory.problem.id, prompt, text, number),
            stop=tuple(filter(None, ends)),
        )
        return (await self.asked.model.generate(request))[0]

    async def _decide(self, prompt: str, text: str) -> Draw:
        begun = self._begun(text, decide=True)
        request = self.asked.request(prompt, begun=begun, max_tokens=1, logprobs=self.options.alternatives)
        return (await self.asked.model.generate(request))[0]

    def _prompt(self, trajectory: Trajectory) -> str:
        steps = numbered([step.text for step in trajectory.steps])
        return self.asked.filled(problem=trajectory.problem.text, steps=steps)

    def _begun(self, text: str, decide: bool = False) -> str:
        """What is written of the answer so far, and, to ``decide``, the question that its next word answers."""
        opening = f"{self.options.thinks}\n{OPENER}" if self.options.thinks else OPENER
        closing = f"\n{self.options.has_thought}" if self.options.has_thought else ""
        return opening + text + (f"{closing}\n{self.options.decision}" if decide else "")


def needs(options: Options) -> dict[str, frozenset[str]]:
    """Log-probabilities, and to go on from a begun answer."""
    return prompted_needs(options, "logprobs", *(["continue_message"] if options.style == "chat" else []))


def build(options: Options, parts: Parts) -> ThinkPrm:
    """The reward over its model."""
    return ThinkPrm(options, prompted(options, parts.model(options.model), PROMPT))
