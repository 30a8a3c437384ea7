"""Steps go on from the token ids that were drawn: the same trees as by text, resumed alike, by text where ids lie."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from branchwise.agents.solver import Options as SolverOptions
from branchwise.agents.solver import build as build_solver
from branchwise.orchestrator.api import solve_batch
from branchwise.orchestrator.backends.vllm_server import Options, build
from branchwise.orchestrator.core.errors import Suspended
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.roles import View
from branchwise.orchestrator.core.trajectory import Step, Tokens, Trajectory, continued
from branchwise.orchestrator.session import Settings, as_task, open_session
from branchwise.orchestrator.workflow.load import read_workflow
from tests.engine.flows import flow
from tests.vllm_like import EOS, VLLMLike, ids_of, text_of

PROBLEMS = ["1+2=", "3+3=", "a", "b b"]
BEAM = {"kind": "beam", "width": 2, "expansions": 3, "depth": 5}


def step_by_text_and_seed(body: dict[str, Any], k: int) -> tuple[int, ...]:
    """One step of a few tokens, sometimes the last one: all by the prompt's text and the seed."""
    prompt = body["prompt"] if isinstance(body["prompt"], str) else text_of(tuple(body["prompt"]))
    rng = random.Random(f"{prompt}/{body['seed'] + k}")
    ids = ids_of("".join(rng.choice("123+ab") for _ in range(1 + rng.randrange(4))))
    return (*ids, EOS) if rng.random() < 0.2 else (*ids, *ids_of("\n"), EOS)


@pytest.fixture
async def vllm() -> AsyncIterator[VLLMLike]:
    async with VLLMLike(step_by_text_and_seed) as running:
        yield running


def workflow(server: VLLMLike, **options: Any) -> Any:
    loaded = flow(BEAM)
    loaded["models"]["m"] = {"kind": "vllm_server", "url": server.url, "model": "m", "retries": 0, **options}
    return loaded


def trees(results: Any) -> Any:
    return [
        sorted((node, json.dumps(data, sort_keys=True)) for node, data in r.tree().nodes(data=True)) for r in results
    ]


def prompts(server: VLLMLike) -> list[Any]:
    return [body["prompt"] for body in server.bodies("/v1/completions")]


async def test_children_are_asked_by_ids_and_the_tree_is_the_one_by_text(vllm: VLLMLike) -> None:
    by_ids = await solve_batch(PROBLEMS, workflow(vllm), seed=5)
    asked = prompts(vllm)
    roots, children = ([p for p in asked if isinstance(p, kind)] for kind in (str, list))
    assert set(roots) == set(PROBLEMS)
    assert len(children) > 2 * len(PROBLEMS)
    assert all(any(text_of(tuple(child)).startswith(root) for root in PROBLEMS) for child in children)
    vllm.asked.clear()
    by_text = await solve_batch(PROBLEMS, workflow(vllm, token_ids=False), seed=5)
    assert all(isinstance(prompt, str) for prompt in prompts(vllm))
    assert sorted(prompts(vllm)) == sorted(p if isinstance(p, str) else text_of(tuple(p)) for p in asked)
    assert trees(by_ids) == trees(by_text)


async def test_where_a_stop_string_ends_within_a_token_the_next_step_is_asked_by_text(vllm: VLLMLike) -> None:
    vllm.script = lambda body, k: (*ids_of("2"), 8)  # "2" "=\n1", whose text is cut to "2=\n"
    await solve_batch(["1+2"], workflow(vllm), seed=5)
    assert {"1+2", "1+22=\n", "1+22=\n2=\n"} <= set(prompts(vllm))
    assert all(isinstance(prompt, str) for prompt in prompts(vllm))


async def test_a_suspended_run_goes_on_by_the_same_ids(vllm: VLLMLike, tmp_path: Path) -> None:
    expected = await solve_batch(PROBLEMS, workflow(vllm), seed=5)
    whole = sorted(map(str, prompts(vllm)))
    vllm.asked.clear()
    settings = Settings(seed=5, out=tmp_path)
    with pytest.raises(Suspended):
        async with open_session(read_workflow(workflow(vllm), {}, Path()), as_task(PROBLEMS), settings) as session:

            def suspending(body: dict[str, Any], k: int) -> tuple[int, ...]:
                if len(prompts(vllm)) == len(whole) // 2:
                    session.run.suspend()
                return step_by_text_and_seed(body, k)

            vllm.script = suspending
            async for _ in session.results():
                pass
    assert 0 < len(prompts(vllm)) < len(whole)
    vllm.script = step_by_text_and_seed
    results = await solve_batch(PROBLEMS, workflow(vllm), seed=5, out=tmp_path)
    assert trees(results) == trees(expected)
    assert sorted(map(str, prompts(vllm))) == whole
    again = await solve_batch(PROBLEMS, workflow(vllm), seed=5, out=tmp_path / "2", reuse=[tmp_path])
    assert trees(again) == trees(expected)
    assert len(prompts(vllm)) == len(whole)


def test_ids_are_those_of_an_unbroken_line_of_one_origin() -> None:
    first, second = Step("a", tokens=Tokens((3,), (1, 2), "o")), Step("b", tokens=Tokens((4, 5), (), "o"))
    again = Step("c", tokens=Tokens((9,), (7, 8), "o"))  # asked by text once more: its prompt holds all before it
    assert continued((first, second), "o") == (1, 2, 3, 4, 5)
    assert continued((first, second, again), "o") == (7, 8, 9)
    assert continued((first, second), "other") is None
    assert continued((first, Step("x"), second), "o") is None
    assert continued((second,), "o") is None
    assert Step("a") == first


async def test_another_prompt_or_model_never_goes_on_from_these_ids(vllm: VLLMLike) -> None:
    model, other = (build(Options(url=vllm.url, model=name)) for name in ("m", "n"))
    options = SolverOptions(model="m", prompt="$problem", style="completion", step_separator="\n")
    view = View(Trajectory(problem("1+2=")), seed=1, to_end=False)
    solver = build_solver(options, Parts(lambda name: model, lambda trajectory: None))
    (reply,) = await solver.reply(view)
    after = View(view.trajectory.extend(reply.steps, 0), seed=1, to_end=False)
    assert solver.request(after).token_ids == ids_of("1+2=") + ids_of(reply.text)
    for changed, asked in ((options.model_copy(update={"prompt": "b$problem"}), model), (options, other)):
        stranger = build_solver(changed, Parts(lambda name, asked=asked: asked, lambda trajectory: None))  # type: ignore[misc]
        assert stranger.request(after).token_ids is None
    await asyncio.gather(model.aclose(), other.aclose())
