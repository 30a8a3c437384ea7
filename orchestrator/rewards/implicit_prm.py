"""Implicit process reward: the log ratio of two language models over the same tokens, read at the ends of steps.

1. Both models, the trained one and its reference, tell the log-probability of every token of the solution.
2. q_t = coefficient * (sum of log p - log p_reference up to step t); a step's reward is r_t = q_t - q_(t-1), or q_t
   itself (``of: cumulative``).
3. ``reducer`` makes the value of them: min, sum and mean are usual. With ``activation: sigmoid`` step scores are
   sigmoid(reward), probabilities that can vote.

The coefficient at which a model was trained (0.05, say) is not the one it is evaluated with (0.001): where one answer
is chosen by the greatest value it does not matter, in a weighted vote it does. So it is never implied. Such rewards
lose more than explicit ones away from their training data; hold them against answers before trusting them.

Yuan et al. 2024, "Free Process Rewards without Process Labels", arXiv 2412.01981.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement, Scale, Source, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.selection import logistic
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.rewards.bases import Single
from branchwise.orchestrator.rewards.log_ratios import cumulative, step_rewards
from branchwise.orchestrator.rewards.presenting import PresentedOptions, presented
from branchwise.orchestrator.rewards.reducers import RawReducer, reduced


class Options(PresentedOptions):
    """Options of the implicit process reward."""

    kind: Literal["implicit_prm"] = "implicit_prm"
    source: ClassVar[Source] = "learned"
    reference: str = Field(description="Name of the model that the other one was trained from.")
    coefficient: float = Field(gt=0, description="Factor before the log ratios; the authors evaluate with 0.001.")
    reducer: RawReducer = Field(description="How step rewards become the value.")
    of: Literal["steps", "cumulative"] = Field("steps", description="Step rewards r_t, or the sums q_t up to a step.")
    activation: Literal["none", "sigmoid"] = Field("none", description="sigmoid: step scores are probabilities.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.model == self.reference:
            raise ValueError("a model against itself says nothing: the reference is another one")
        if self.activation == "none" and self.reducer == "product":
            raise ValueError("a product is made of probabilities: activation sigmoid")
        if self.activation == "sigmoid" and self.reducer == "sum":
            raise ValueError("a sum of probabilities is none")
        return self

    @property
    def scale(self) -> Scale:
        """A probability after sigmoid, else raw."""
        return "raw" if self.activation == "none" else "probability"


@dataclass(frozen=True, slots=True)
class ImplicitReward(Single[Options]):
    """A reward model out of two language models."""

    model: Backend
    reference: Backend

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """One call to each model over the longest possible text; a server may have to write one token."""
        return sum((self._bound(model, trajectory, max_new_tokens) for model in self._models), NOTHING)

    def _bound(self, model: Backend, trajectory: Trajectory, max_new_tokens: int) -> Usage:
        tokens, exact = model.count_prompt(self._request(trajectory))
        return Usage(tokens + 2 * max_new_tokens, 1, calls=1, exact=exact)

    @property
    def _models(self) -> tuple[Backend, Backend]:
        return self.model, self.reference

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """Step rewards and their reduction; both models are asked at the same time."""
        if not trajectory.text.strip():
            return failed("nothing was written that could be judged", self.source)
        request = self._request(trajectory)
        try:
            drawn = await together([model.generate(request) for model in self._models])
        except BackendError as error:
            return failed(str(error), self.source)
        return self._judged(trajectory, *(draw for (draw,) in drawn))

    def _judged(self, trajectory: Trajectory, model: Draw, reference: Draw) -> Judgement:
        options, steps = self.options, [step.text for step in trajectory.steps]
        try:
            q = cumulative(model.prompt_logprobs, reference.prompt_logprobs, steps, options.coefficient)
        except ValueError as error:
            return failed(str(error), self.source, trajectory.text)
        scores = q if options.of == "cumulative" else step_rewards(q)
        values = tuple(map(logistic, scores) if options.activation == "sigmoid" else scores)
        value = reduced(options.reducer, values)
        return judged(value, scale=options.scale, source=self.source, step_values=values)

    def _request(self, trajectory: Trajectory) -> Request:
        return presented(self.options, trajectory.problem.text, trajectory.text, prompt_logprobs=True)


def needs(options: Options) -> dict[str, frozenset[str]]:
    """Log-probabilities of the solution under both models; in chat it is the message that is continued."""
    style = {"chat", "continue_message"} if options.style == "chat" else {"completion"}
    wanted = frozenset({"prompt_logprobs", *style})
    return {options.model: wanted, options.reference: wanted}


def build(options: Options, parts: Parts) -> ImplicitReward:
    """The reward over its two models."""
    return ImplicitReward(options, parts.model(options.model), parts.model(options.reference))
