"""The calculator as a reward model."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.core.usage import NOTHING
from branchwise.orchestrator.rewards.calculator import Options, build
from branchwise.sandboxes.calculator import evaluate
from branchwise.tasks.arithmetic.generator import generate, step_is_right

CHAIN = "47+38*3-95"


def no_model(name: str) -> Backend:
    raise AssertionError(f"the calculator asked for the model {name}")


PARTS = Parts(no_model, lambda trajectory: None, evaluate=evaluate)


async def judge(question: str, *steps: str, options: Options | None = None) -> Judgement:
    reward = build(options or Options(), PARTS)
    trajectory = Trajectory(problem(question), tuple(map(Step, steps)))
    assert reward.bound(trajectory, 100) == NOTHING
    [judgement] = await reward.score([trajectory])
    return judgement


async def test_a_right_chain() -> None:
    judgement = await judge(CHAIN, "47+38=85\n", "85*3=255\n", "255-95=160")
    assert judgement.step_values == (1, 1, 1)
    assert (judgement.value, judgement.scale, judgement.source) == (1, "probability", "tool")


@pytest.mark.parametrize(
    ("steps", "values"),
    [
        (["47+38=85", "85*3=245", "245-95=150"], (1, 0, 1)),
        (["47+38=84", "85*3=255"], (0, 0)),
        (["47+39=86"], (0,)),
        (["47*38=1786"], (0,)),
        (["47+38=", "85*3=255"], (0, 0)),
        (["47+38=85", "85*3=255", "255-95=160", "160+1=161"], (1, 1, 1, 0)),
        (["47 + 38 = 85"], (1,)),
        (["47+38=85\n85*3=255", "255-95=160"], (1, 1)),
        (["47+38=85\n85*3=250", "250-95=155"], (0, 1)),
        (["", "47+38=85"], (0, 1)),
    ],
)
async def test_chains_go_on_from_what_was_written(steps: list[str], values: tuple[float, ...]) -> None:
    judgement = await judge(CHAIN, *steps)
    assert judgement.step_values == values
    assert judgement.value == min(values)


async def test_continuing_can_be_switched_off() -> None:
    assert (await judge(CHAIN, "1+1=2", options=Options(continues=False))).value == 1
    assert (await judge(CHAIN, "1+1=3", options=Options(continues=False))).value == 0


async def test_free_text_is_recomputed() -> None:
    options = Options(no_equation=0.5, reducer="mean")
    steps = ["She eats some.", "16 - 3 = 13 eggs, then 13 - 4 = 9.", "9 * 2 = $19"]
    judgement = await judge("How many?", *steps, options=options)
    assert judgement.step_values == (0.5, 1, 0)
    assert judgement.value == 0.5


async def test_nothing_to_recompute_is_a_failure() -> None:
    assert (await judge(CHAIN)).failure is not None


def test_it_needs_a_calculator() -> None:
    with pytest.raises(ConfigError, match="needs a calculator"):
        build(Options(), Parts(no_model, lambda trajectory: None))


async def test_it_trusts_the_calculator_that_it_is_given() -> None:
    reward = build(Options(), Parts(no_model, lambda trajectory: None, evaluate=lambda text: Fraction(0)))
    [judgement] = await reward.score([Trajectory(problem(CHAIN), (Step("47+38=99"),))])
    assert judgement.value == 1


@given(st.integers(0, 10**6), st.integers(1, 5), st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2))))
def test_agrees_with_the_grammar_of_the_task(seed: int, length: int, errors: list[tuple[int, int]]) -> None:
    chain = generate(random.Random(seed), length)
    steps = list(chain.steps)
    for index, error in errors:
        left, _, result = steps[index % length].partition("=")
        steps[index % length] = f"{left}={int(result) + error}"
    reward = build(Options(), PARTS)
    judgement = reward.score_one(Trajectory(problem(chain.text), tuple(map(Step, steps))))
    assert judgement.step_values == tuple(map(float, step_is_right(chain.text, steps)))
