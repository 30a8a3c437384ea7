"""The constrained sentence task and its rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.tasks.constrained_sentence import Options, build
from branchwise.tasks.constrained_sentence.task import ConstrainedSentenceTask
from branchwise.tasks.constrained_sentence.verifier import sentence_of, verdict, verify
from branchwise.tasks.constrained_sentence.words import ADJECTIVES, NOUNS, VERBS

WORDS = ("farmer", "carried", "heavy", "basket")
TASK = ConstrainedSentenceTask([WORDS])
[PROBLEM] = TASK.problems()
GOOD = "The farmer carried a heavy basket up the hill."


def test_the_word_lists_are_clean() -> None:
    assert len(NOUNS) > 120
    assert len(VERBS) > 60
    assert len(ADJECTIVES) > 60
    for words in (NOUNS, VERBS, ADJECTIVES):
        assert len(set(words)) == len(words)
        assert all(word.isascii() and word.isalpha() and word.islower() for word in words)


def test_a_problem_shows_its_words() -> None:
    assert PROBLEM.id == "sentence-farmer-carried-heavy-basket"
    assert PROBLEM.metadata == {"words": "farmer carried heavy basket"}
    assert "farmer, carried, heavy, basket" in PROBLEM.text


def test_problems_are_seeded_and_different() -> None:
    def ids(options: Options, seed: int = 0) -> list[str]:
        return [each.id for each in build(options, seed=seed).problems()]

    assert ids(Options()) == ids(Options(), 0) == ids(Options(seed=0), 3) != ids(Options(), 3)
    assert len(set(ids(Options(words=6, count=200)))) == 200
    assert ids(Options(count=5)) == ids(Options(count=9))[:5]


def test_too_many_problems_are_refused() -> None:
    with pytest.raises(ConfigError, match="no 5000 different"):
        build(Options(words=1, count=5000))


@pytest.mark.parametrize(
    ("sentence", "factors"),
    [
        (GOOD, (1, 1, 1)),
        ("A HEAVY Basket, carried by the farmer!", (1, 1, 1)),
        ("The farmer carried a basket up the hill.", (0.75, 1, 1)),
        ("The farmers carried heavy baskets up the hill.", (0.5, 1, 1)),
        ("Farmer carried heavy basket.", (1, 1 - 2 / 6, 1)),
        (GOOD[:-1] + " and then went all the way home again.", (1, 1 - 5 / 6, 1)),
        (GOOD[:-1], (1, 1, 0)),
        ("The farmer carried it. The basket was heavy.", (1, 1, 0)),
        ("The farmer carried\na heavy basket home.", (1, 1, 0)),
        ("", (0, 0, 0)),
        (".", (0, 0, 0)),
    ],
)
def test_the_factors(sentence: str, factors: tuple[float, float, float]) -> None:
    assert tuple(verdict(sentence, WORDS).values()) == pytest.approx(factors)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"  {GOOD}\n",
        f'"{GOOD}"',
        f'Sure! Here it is:\n"{GOOD}"',
        f"**Sentence:** {GOOD}",
        f"Here's one: {GOOD}",
    ],
)
def test_announcements_and_quotes_are_no_part_of_the_sentence(text: str) -> None:
    assert sentence_of(text) == GOOD


def test_a_colon_inside_the_sentence_stays() -> None:
    assert sentence_of("The farmer saw it: a heavy basket.") == "The farmer saw it: a heavy basket."


def test_a_finished_text_is_the_answer() -> None:
    trajectory = Trajectory(PROBLEM, (Step(f'"{GOOD}"'),), stop=StopReason.ANSWERED)
    answer = TASK.answer(trajectory)
    assert answer is not None
    assert answer.text == GOOD
    assert TASK.answer(Trajectory(PROBLEM, (Step("The farmer"),))) is None
    assert verify(trajectory) == {"words": 1, "length": 1, "sentence": 1}


def test_the_grade_is_the_whole_rule() -> None:
    assert TASK.grade(PROBLEM.id, GOOD).correct == 1
    assert TASK.grade(PROBLEM.id, GOOD[:-1]).correct == 0
    assert TASK.grade(PROBLEM.id, None).correct == 0
    assert TASK.grade(PROBLEM.id, GOOD).expected is None


@given(st.text())
def test_any_text_has_factors(text: str) -> None:
    assert all(0 <= value <= 1 for value in verify(Trajectory(PROBLEM, (Step(text),))).values())
