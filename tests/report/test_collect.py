"""Reports collected from journals that real (scripted) runs wrote."""

from pathlib import Path
from typing import Any

import pytest

from branchwise import Budget, ConfigError, Problem, Request, ScriptedBackend, problem, solve_batch
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.report.collect import collect
from branchwise.orchestrator.report.data import Report
from branchwise.orchestrator.report.trees import LONGEST_RATIONALE
from branchwise.orchestrator.session import Plain

RULE = "tests.report.test_collect:longer"


def longer(trajectory: Any) -> float:
    """A rule reward."""
    return min(1.0, len(trajectory.text) / 40)


class Keyed(Plain):
    """Problems whose right answer is 4."""

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        return Grade(float(answer == "4"), "4")


def workflow(source: str = "rule", **node: Any) -> dict[str, Any]:
    reward = {"kind": "rule", "callable": RULE, "source": source, "scale": "probability"}
    search = {
        "kind": "search",
        "algorithm": {"kind": "best_of_n", "n": 4},
        "policy": {"kind": "solver", "model": "m"},
    }
    model = {"kind": "scripted", "answers": ["unused"]}
    return {"name": "trial", "models": {"m": model}, "nodes": {"search": {**search, "reward": reward, **node}}}


def answer(request: Request, seed: int) -> str:
    return f"The answer is {4 + seed % 2}"


async def ran(out: Path, count: int = 3, fails: Any = lambda request, seed: None, **more: Any) -> Report:
    given = tuple(problem(f"What is 2 + 2, version {k}?", f"p{k}") for k in range(count))
    plan = more.pop("plan", None) or workflow()
    await solve_batch(Keyed(given), plan, out=out, backends={"m": ScriptedBackend(answer, fails=fails)}, **more)
    return collect([out], created="now")


async def test_counts_tokens_and_rows_come_from_the_journal(tmp_path: Path) -> None:
    report = await ran(tmp_path / "r")
    (one,) = report.strategies
    assert (one.attempted, one.graded) == (3, 3)
    assert one.correct == sum(row.correct is True for row in report.rows)
    assert (one.algorithm.split("(")[0], one.reward, one.reward_kind, one.samples) == ("best_of_n", "rule", "rule", 4)
    assert one.tokens[0].drawn == one.tokens[0].paid
    assert one.tokens[0].drawn.calls == 12
    assert {shown.expected for shown in report.problems} == {"4"}
    assert one.models[0].roles == ("policy",)


async def test_a_reward_of_several_models_has_them_all(tmp_path: Path) -> None:
    judges = {name: {"kind": "scripted", "answers": ["[[A]]", "[[B]]"]} for name in ("writer", "judge")}
    reward = {"kind": "against_reference", "model": "writer", "judge": {"kind": "pair_judge", "model": "judge"}}
    plan = workflow(reward=reward)
    report = await ran(tmp_path / "r", plan={**plan, "models": {**plan["models"], **judges}})
    roles = sorted(model.roles for model in report.strategies[0].models)
    assert roles == [("policy",), ("verifier",), ("verifier",)]


async def test_a_search_by_difficulty_is_described_briefly_and_draws_nothing_twice(tmp_path: Path) -> None:
    bins = [{"up_to": 0.1, "algorithm": {"kind": "greedy"}}, {"algorithm": {"kind": "best_of_n", "n": 16}}]
    plan = workflow(algorithm={"kind": "by_difficulty", "bins": bins})
    (one,) = (await ran(tmp_path / "r", plan=plan)).strategies
    assert one.algorithm == "by_difficulty(first_pass=4, batch=1, by=value, bins=2)"
    assert (one.samples, one.tokens[0].drawn.calls) == (16, 3 * 16)


async def test_best_of_n_by_a_reward_says_how_far_from_the_policy_it_can_be(tmp_path: Path) -> None:
    meter = "KL from the policy at most, nats"
    (naive,) = (await ran(tmp_path / "naive", plan=workflow(select="naive"))).strategies
    assert naive.facts[meter] == 0.6363  # log 4 - 3/4
    (weighted,) = (await ran(tmp_path / "weighted", plan=workflow(select="weighted"))).strategies
    assert meter not in weighted.facts


async def test_trees_hold_every_candidate_and_mark_the_selected_one(tmp_path: Path) -> None:
    report = await ran(tmp_path / "r")
    assert len(report.trees) == 3
    assert {tree.graph.algorithm for tree in report.trees} == {"best_of_n (search)"}
    for tree in report.trees:
        assert [node.id for node in tree.nodes] == ["root", "0", "1", "2", "3"]
        assert {node.id for node in tree.nodes if node.selected} > {"root"}
        for node in tree.nodes[1:]:
            assert node.score is not None
            assert node.correct == (node.answer == "4")
    assert len(collect([tmp_path / "r"], created="now", trees=1).trees) == 1


async def test_a_problems_tree_can_be_asked_for_by_its_id(tmp_path: Path) -> None:
    await ran(tmp_path / "r", count=9)

    def shown(trees: int, *wanted: str) -> list[str]:
        return [tree.graph.problem for tree in collect([tmp_path / "r"], "now", trees, wanted=wanted).trees]

    usual = shown(4)
    other = next(f"p{k}" for k in range(9) if f"p{k}" not in usual)
    assert shown(4, other) == [other, *usual[:3]]
    assert shown(0, other, usual[0], other) == [other, usual[0]]
    with pytest.raises(ConfigError, match="no problem 'elsewhere'"):
        shown(4, other, "elsewhere")


def unsure(trajectory: Any) -> float:
    """A rule that can't judge a right answer."""
    if "4" in trajectory.text:
        raise ValueError("nothing can be said of a four")
    return 0.5


async def test_lost_judgements_are_counted_of_all_that_were_made(tmp_path: Path) -> None:
    reward = {"kind": "rule", "callable": "tests.report.test_collect:unsure", "scale": "probability"}
    report = await ran(tmp_path / "r", plan=workflow(reward=reward))
    (one,) = report.strategies
    lost = sum(row.text.endswith("4") for tree in report.trees for row in tree.nodes[1:])
    assert 0 < lost < 12
    assert (one.judgements, one.candidates_lost, one.unjudged) == (12, {"reward": lost}, False)
    assert one.notes[0].startswith(f"the reward rule lost {lost} of 12 judgements; most often ({lost}): ")
    assert "nothing can be said of a four" in one.notes[0]
    assert (await ran(tmp_path / "r", plan=workflow(reward=reward))).strategies[0].notes == one.notes  # finished


async def test_what_the_judge_said_stands_in_the_tree_cut_where_it_is_very_long(tmp_path: Path) -> None:
    plan = workflow(reward={"kind": "judge", "model": "judge", "max_tokens": 9999})
    words = "<b>well</b> " * 1000 + "Score: 9"
    plan["models"]["judge"] = {"kind": "scripted", "answers": [words]}
    report = await ran(tmp_path / "r", plan=plan)
    said = {node.rationale for tree in report.trees for node in tree.nodes[1:]}
    assert said == {f"{words[:LONGEST_RATIONALE]}… ({len(words) - LONGEST_RATIONALE:,} more characters)"}
    assert report.trees[0].nodes[0].rationale is None


async def test_answers_that_a_budget_left_unjudged_are_told_of(tmp_path: Path) -> None:
    plan = workflow(reward={"kind": "judge", "model": "judge"})
    plan["models"]["judge"] = {"kind": "scripted", "answers": ["Score: 9"]}
    plan["budget"] = {"run": {"roles": {"verifier": {"calls": 4}}}, "mode": "soft"}
    (one,) = (await ran(tmp_path / "r", plan=plan, concurrency=1)).strategies
    assert one.judgements < 12
    assert any("were chosen without a single judgement" in note for note in one.notes)


async def test_an_oracle_is_called_one(tmp_path: Path) -> None:
    report = await ran(tmp_path / "r", plan=workflow("oracle"))
    assert report.strategies[0].reward_kind == "oracle"


async def test_lost_problems_are_not_graded_and_named_by_their_boundary(tmp_path: Path) -> None:
    report = await ran(tmp_path / "r", fails=lambda request, seed: BackendError("gone"))
    (one,) = report.strategies
    assert (one.attempted, one.graded, one.failed) == (3, 0, {"backend": 3})
    assert one.candidates_lost == {"backend": 12}
    assert (one.all_failed, one.notes) == (
        True,
        ("ALL 3 PROBLEMS WERE LOST: backend 12; most often (12): gone",),
    )
    assert one.accuracy is None
    assert all(row.correct is None for row in report.rows)
    assert report.rows[0].failures[0].message == "gone"


async def test_what_a_runs_budget_starved_is_not_graded_but_what_it_cut_short_is(tmp_path: Path) -> None:
    plan = {**workflow(), "budget": {"run": {"calls": 6}}}
    report = await ran(tmp_path / "r", plan=plan, concurrency=1)
    (one,) = report.strategies
    assert (one.attempted, one.graded) == (3, 2)
    assert any("for 1 problems a budget ended before an answer could be kept" in note for note in one.notes)
    assert "a budget ended the search for 1 of 3 problems" in one.notes
    assert any("depends on timing" in note for note in one.notes)
    assert one.tokens[0].paid.calls == 6


@pytest.mark.parametrize("given", [True, False])
async def test_problems_whose_seconds_ran_out_are_noted(tmp_path: Path, given: bool) -> None:
    budget = {"problem": {"seconds": 0.05}}
    slow = ScriptedBackend(answer, delay=lambda request, seed: 0.0 if seed % 2 else 30.0)
    more = {"budget": Budget.model_validate(budget)} if given else {}
    plan = workflow() if given else {**workflow(), "budget": budget}
    await solve_batch(Keyed((problem("2 + 2"),)), plan, out=tmp_path / "r", backends={"m": slow}, **more)
    (one,) = collect([tmp_path / "r"], created="now").strategies
    assert [note for note in one.notes if "seconds of 1 problems ran out" in note]
    assert not [note for note in one.notes if "whole run" in note]


async def test_seconds_that_did_not_run_out_are_not_noted(tmp_path: Path) -> None:
    report = await ran(tmp_path / "r", plan={**workflow(), "budget": {"problem": {"seconds": 600}}})
    assert report.strategies[0].notes == ()


async def test_runs_of_other_problems_under_the_same_ids_are_not_compared(tmp_path: Path) -> None:
    await ran(tmp_path / "a")
    other = Keyed((Problem("p0", problem("Something else?").messages),))
    await solve_batch(other, workflow(), out=tmp_path / "b", backends={"m": ScriptedBackend(answer)})
    (comparison,) = collect([tmp_path / "a", tmp_path / "b"], created="now").comparisons
    assert comparison.both + comparison.only_first + comparison.only_second + comparison.neither == 0


async def test_two_runs_become_two_strategies_with_a_curve_and_a_comparison(tmp_path: Path) -> None:
    await ran(tmp_path / "a")
    larger = workflow(algorithm={"kind": "best_of_n", "n": 8})
    await ran(tmp_path / "b", plan=larger, reuse=[tmp_path / "a"])
    report = collect([tmp_path / "a", tmp_path / "b"], created="now")
    assert [one.name for one in report.strategies] == ["trial (a)", "trial (b)"]
    assert [len(curve.points) for curve in report.curves] == [2]
    drawn, paid = report.strategies[1].tokens[0].drawn, report.strategies[1].tokens[0].paid
    assert (drawn.calls, paid.calls) == (24, 12)
    assert report.comparisons[0].dropped == 0


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a run directory"):
        collect([tmp_path], created="now")


async def test_values_are_held_against_what_was_right(tmp_path: Path) -> None:
    report = await ran(tmp_path / "r")
    (diagram,) = report.reliabilities
    assert (diagram.strategy, diagram.problems, diagram.left_out) == (report.strategies[0].name, 3, 0)
    (bin,) = diagram.bins
    assert (bin.count, bin.chance) == (12, len("The answer is 4") / 40)
    assert diagram.expected_calibration_error == pytest.approx(abs(bin.chance - bin.correct))


async def test_what_is_no_chance_is_held_against_nothing(tmp_path: Path) -> None:
    plan = workflow()
    plan["nodes"]["search"]["reward"]["scale"] = "raw"
    assert (await ran(tmp_path / "raw", plan=plan)).reliabilities == ()
    del plan["nodes"]["search"]["reward"]
    assert (await ran(tmp_path / "none", plan=plan)).reliabilities == ()
