"""Rewards and judges that ask a model, in whole runs of the examples: they change the winner and stay within bounds.

The policy answers 4 or 5, mostly 5; the judge likes the one or the other. Which one wins is the judge's word alone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from branchwise import ScriptedBackend, problem, solve_batch
from branchwise.orchestrator.core.request import TokenLogprob
from branchwise.orchestrator.core.usage import NOTHING
from branchwise.orchestrator.predict import predict
from branchwise.orchestrator.session import Plain
from branchwise.orchestrator.workflow.load import Loaded, load_workflow
from branchwise.sandboxes.calculator import evaluate
from tests.speaking import Speaking, asked

EXAMPLES = Path(__file__).parents[2] / "examples" / "workflows"
SERVERS = {"SERVER": "http://127.0.0.1:1/v1", "JUDGE": "http://127.0.0.1:2/v1"}
QUESTION = problem("What is 2+2?")
Says = Callable[[str], Callable[[str, int], str]]


def marking(liked: str) -> Callable[[str, int], str]:
    return lambda prompt, seed: json.dumps(
        {"critique": "", "score": 10 if liked in answered(prompt, "Answer:") else 1}
    )


def answered(prompt: str, heading: str) -> str:
    return prompt.partition(f"{heading}\n")[2].partition("\n\n")[0]


def boxing(liked: str) -> Callable[[str, int], str]:
    def says(prompt: str, seed: int) -> str:
        shown = re.findall(r"Response \d+:\n.*?is (\d)", prompt)
        return f"\\boxed{{{', '.join('9' if each == liked else '2' for each in shown)}}}"

    return says


def ranking(liked: str) -> Callable[[str, int], str]:
    def says(prompt: str, seed: int) -> str:
        shown = re.findall(r"(model-\d+):\n.*?is (\d)", prompt)
        return json.dumps({"scores": {name: 5 if each == liked else 2 for name, each in shown}})

    return says


def comparing(liked: str) -> Callable[[str, int], str]:
    def says(prompt: str, seed: int) -> str:
        first, second = (liked in answered(prompt, heading) for heading in ("Answer A:", "Answer B:"))
        verdict = "B" if second > first else "A"  # of equals always the first: the orders contradict each other
        return f"<answer>[[{verdict}]]</answer>" if "[[A]]" in prompt else f"<answer>{verdict}</answer>"

    return says


def verifying(liked: str) -> Callable[[str, int], str]:
    return lambda prompt, seed: "Step 1: The step is \\boxed{correct}"


WORKFLOWS: dict[str, Says] = {
    "judged_best_of_n": marking,
    "think_prm_beam": verifying,
    "grm_best_of_n": boxing,
    "listwise_best_of_n": ranking,
    "against_reference_mcts": comparing,
    "judged_tournament": comparing,
}


class Deciding(Speaking):
    """A verifier whose decision is yes where the solution holds what it likes."""

    def __init__(self, says: Callable[[str, int], str], liked: str) -> None:
        super().__init__(says)
        self._liked = liked
        self._logprob = self._decision

    def _decision(self, request: Any, seed: int) -> tuple[TokenLogprob, ...]:
        yes = 0.9 if f"is {self._liked}" in asked(request) else 0.1
        top = (("Yes", math.log(yes)), ("No", math.log(1 - yes)))
        return (TokenLogprob(*top[0], top=top),)


def policy() -> ScriptedBackend:
    return ScriptedBackend(lambda request, seed: f"Well, it is {4 if seed % 3 == 0 and request.temperature else 5}")


def example(name: str) -> Loaded:
    return load_workflow(EXAMPLES / f"{name}.yaml", SERVERS)


async def solved(name: str, liked: str) -> Any:
    plan, judge = example(name), Deciding(WORKFLOWS[name](liked), liked)
    backends = {model: policy() if model == "policy" else judge for model in plan.workflow.models}
    (result,) = await solve_batch([QUESTION], plan, backends=backends, seed=3)
    return result


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_the_judge_decides_who_wins(name: str) -> None:
    for liked in ("4", "5"):
        result = await solved(name, liked)
        assert result.answer is not None
        assert result.answer.endswith(liked), result


@pytest.mark.parametrize("name", WORKFLOWS)
async def test_a_run_stays_below_what_is_predicted(name: str) -> None:
    most = sum(predict(example(name), QUESTION, Plain(()).answer, evaluate).per_problem.values(), NOTHING)
    used = (await solved(name, "4")).usage
    assert 0 < used.calls <= most.calls
    assert used.prompt_tokens <= most.prompt_tokens
    assert used.completion_tokens <= most.completion_tokens


async def test_what_is_drawn_together_is_one_group() -> None:
    plan, judge = example("grm_best_of_n"), Speaking(boxing("4"))
    writer = ScriptedBackend(lambda request, seed: f"By way {seed}, it is 4")  # equal ones are shown once
    await solve_batch([QUESTION], plan, backends={"policy": writer, "judge": judge}, seed=3)
    assert [len(re.findall(r"Response \d+:", prompt)) for prompt in judge.prompts] == [8] * 4


async def test_a_reference_is_drawn_once_a_problem(tmp_path: Path) -> None:
    plan, judge, writer = example("against_reference_mcts"), Speaking(comparing("4")), policy()
    calls: list[float] = []
    writer._script = lambda request, seed: (calls.append(request.temperature), "Well, it is 5")[1]
    await solve_batch([QUESTION], plan, backends={"policy": writer, "judge": judge}, out=tmp_path / "run")
    assert calls.count(0.0) == 1
