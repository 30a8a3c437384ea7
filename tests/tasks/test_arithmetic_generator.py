"""Chains, their split, and the grammar of a step."""

import random

import pytest

from branchwise.tasks.arithmetic.generator import (
    MAX_MAGNITUDE,
    Chain,
    Operation,
    ParsedStep,
    evaluation_chains,
    generate,
    is_training,
    parse_problem,
    parse_step,
    step_is_right,
    training_chain,
)


def test_a_chain_is_worked_from_left_to_right() -> None:
    chain = Chain(47, (Operation("+", 38), Operation("*", 3), Operation("-", 95)))
    assert chain.text == "47+38*3-95"
    assert chain.steps == ("47+38=85", "85*3=255", "255-95=160")
    assert chain.answer == 160


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_the_text_holds_the_whole_chain(steps: int) -> None:
    rng = random.Random(steps)
    for _ in range(200):
        chain = generate(rng, steps)
        assert parse_problem(chain.text) == chain
        assert step_is_right(chain.text, chain.steps) == (True,) * steps
        results = [parsed.result for text in chain.steps if (parsed := parse_step(text)) is not None]
        assert len(results) == steps
        assert results[-1] == chain.answer
        assert all(abs(result) <= MAX_MAGNITUDE for result in results)


def test_one_seed_gives_one_chain_and_operators_can_be_chosen() -> None:
    assert generate(random.Random(7), 5) == generate(random.Random(7), 5)
    assert generate(random.Random(7), 5) != generate(random.Random(8), 5)
    additions = generate(random.Random(7), 5, ("+",))
    assert {operation.operator for operation in additions.operations} == {"+"}


def test_an_empty_chain_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        generate(random.Random(1), 0)
    with pytest.raises(ValueError, match="at least one step"):
        generate(random.Random(1), 1, ())


def test_the_split_is_fixed() -> None:
    training, evaluation = ("47+38*3-95", "18-70", "1+9"), ("10*7", "16*9*4", "1+2*2*3")
    assert [is_training(text) for text in training] == [True] * 3
    assert [is_training(text) for text in evaluation] == [False] * 3


def test_evaluation_chains_are_different_and_never_trained_on() -> None:
    chains = evaluation_chains(random.Random(3), 300, 1)
    texts = {chain.text for chain in chains}
    assert len(texts) == 300
    assert not any(is_training(text) for text in texts)
    rng = random.Random(3)
    assert all(is_training(training_chain(rng, 2).text) for _ in range(300))


def test_about_a_tenth_is_kept_for_evaluation() -> None:
    rng = random.Random(5)
    share = sum(not is_training(generate(rng, 4).text) for _ in range(4000)) / 4000
    assert 0.08 < share < 0.12


def test_more_evaluation_chains_than_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="no 100000 different"):
        evaluation_chains(random.Random(1), 100_000, 1, ("*",))


def test_a_step_is_read() -> None:
    assert parse_step("47+38=85") == ParsedStep(47, "+", 38, 85)
    assert parse_step("-12-40=-52") == ParsedStep(-12, "-", 40, -52)
    assert parse_step("3*4=13") == ParsedStep(3, "*", 4, 13)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "47+38",
        "47+38=",
        "47+38=85\n",
        " 47+38=85",
        "47+-38=9",
        "47/38=1",
        "47**2=2209",
        "--4+1=5",
        "4+1=--5",
        "4+1=5=5",
        "__import__('os')+1=2",
        "٤+١=٥",
        "1+1=" + "9" * 5000,
    ],
)
def test_what_is_not_a_step_is_none(text: str) -> None:
    assert parse_step(text) is None


@pytest.mark.parametrize("text", ["", "47", "-3+4", "47+", "47+38=85", "1+2\n", "+4", "1+2+" * 40 + "1"])
def test_what_is_not_a_problem_is_none(text: str) -> None:
    assert parse_problem(text) is None


def test_each_step_is_judged_from_what_was_written_before() -> None:
    problem = "47+38*3-95"
    assert step_is_right(problem, []) == ()
    assert step_is_right(problem, ["47+38=85", "85*3=245", "245-95=150"]) == (True, False, True)
    assert step_is_right(problem, ["47+38=84", "85*3=255"]) == (False, False)
    assert step_is_right(problem, ["47+39=86"]) == (False,)
    assert step_is_right(problem, ["38+47=85"]) == (False,)
    assert step_is_right(problem, ["47*38=1786"]) == (False,)
    assert step_is_right(problem, ["47+38=", "85*3=255"]) == (False, False)
    assert step_is_right(problem, ["47+38=85", "85*3=255", "255-95=160", "160+1=161"])[-1] is False


def test_judging_steps_needs_a_problem() -> None:
    with pytest.raises(ValueError, match="not an arithmetic chain"):
        step_is_right("what is two plus two?", ["2+2=4"])
