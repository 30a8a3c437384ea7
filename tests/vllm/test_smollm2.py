"""SmolLM2 in chat: a small model of the usual make, with a tokenizer of subwords and a chat template."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from branchwise.orchestrator.api import solve_batch_sync
from branchwise.orchestrator.backends.vllm_server import Options, build
from branchwise.orchestrator.core.message import Message, Tool, ToolResult, assistant, user
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.result import Result
from tests.vllm.server import Server
from tests.vllm.stories import on
from tests.vllm.test_stories import hit_rate

PLACES = ("forest", "sea", "desert", "garden")


def listed(server: Server, **options: Any) -> list[Result]:
    """A beam in which a step is a line of the assistant's message."""
    policy = {"kind": "solver", "model": "policy", "prompt": "$problem", "final": "never", "step_separator": "\n",
              "max_step_tokens": 32, "max_tokens": 96, "temperature": 0.7}  # fmt: skip
    reward = {"kind": "rule", "callable": "tests.benchmarks.vllm_saturation:length"}
    beam = {"kind": "beam", "width": 2, "expansions": 2, "depth": 4}
    node = {"kind": "search", "algorithm": beam, "policy": policy, "reward": reward, "select": "naive"}
    asked = [f"List four animals of the {place}, one a line, and say what each of them eats." for place in PLACES]
    workflow = {"models": {"policy": on(server, **options)}, "nodes": {"search": node}}
    results = solve_batch_sync(asked, workflow, seed=5)
    assert any(result.trajectory is not None and len(result.trajectory.steps) > 2 for result in results)
    return results


async def test_a_chat_goes_on_from_the_assistants_words(smollm2: Server) -> None:
    backend = build(Options(url=smollm2.url, model=smollm2.name))
    said = (user("What is the capital of France?"), assistant("The capital of France is"))
    (draw,) = await backend.generate(Request(messages=said, max_tokens=4, temperature=0.0, seed=0))
    await backend.aclose()
    assert draw.text.startswith(" Paris")


def test_steps_in_chat_go_on_from_token_ids_or_text_and_hit_the_prefix_cache(
    smollm2: Server, note: list[str]
) -> None:
    """The trees may differ a little by rounding, and their rates with them."""
    text, ids = (hit_rate(smollm2, partial(listed, smollm2, token_ids=ids)) for ids in (False, True))
    note.append(f"prefix cache hits of SmolLM2 in a beam in chat: {ids:.1%} of the prompts with token ids, "
                f"{text:.1%} with text (subwords, blocks of 32)")  # fmt: skip
    assert min(ids, text) > 0.3
    assert ids > text - 0.05


async def test_a_tool_is_called_and_what_it_says_is_gone_on_from(smollm2: Server, note: list[str]) -> None:
    """Which arguments is up to so small a model: that it calls at all is asked of the server."""
    parameters = {
        "type": "object",
        "properties": {"place": {"type": "string", "maxLength": 12}},
        "required": ["place"],
    }
    tools = (Tool("weather", "Says how the weather is.", json.dumps(parameters)),)
    asked = user("How is the weather in Paris?")
    backend = build(Options(url=smollm2.url, model=smollm2.name, extra={"tool_choice": "required"}))
    (draw,) = await backend.generate(Request(messages=(asked,), tools=tools, max_tokens=64, temperature=0.0, seed=0))
    await backend.aclose()
    (call,) = draw.tool_calls
    note.append(f"SmolLM2 calls {call.name} with {json.loads(call.arguments)}")
    assert call.name == "weather"
    assert isinstance(json.loads(call.arguments)["place"], str)
    said = (asked, Message("assistant", (call,)), Message("tool", (ToolResult(call.id, "It is sunny in Paris."),)))
    backend = build(Options(url=smollm2.url, model=smollm2.name))
    (answer,) = await backend.generate(Request(messages=said, tools=tools, max_tokens=24, temperature=0.0, seed=0))
    await backend.aclose()
    assert answer.text
