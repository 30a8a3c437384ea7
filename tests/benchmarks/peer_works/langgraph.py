"""langgraph as the engine: best-of-N by Send, beam search and MCTS as loops; the search itself is the user's."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, TypedDict

from tests.benchmarks.peer_works.measuring import (
    BEAM,
    BEST_OF_8,
    EXPANSIONS,
    MCTS,
    Run,
    asked,
    judging,
    main,
    said,
)

graphs: Any = import_module("langgraph.graph")
types: Any = import_module("langgraph.types")
aiohttp: Any = import_module("aiohttp")
WIDTH, BRANCHES, DEPTH = 4, 4, 6


class Client:
    """Draws and scores."""

    def __init__(self, url: str, session: Any) -> None:
        self._url, self._session = f"{url}/chat/completions", session

    async def _call(self, body: dict[str, Any]) -> str:
        async with self._session.post(self._url, json=body) as answer:
            return said(await answer.json())

    async def draw(self, text: str) -> str:
        """What follows a text."""
        return await self._call(asked(text[-200:]))

    async def score(self, text: str) -> float:
        """How good it is."""
        return float(await self._call(judging(text)))


class Voting(TypedDict):
    problem: str
    drawn: Annotated[list[str], operator.add]
    scored: Annotated[list[tuple[float, str]], operator.add]


class Beams(TypedDict):
    beams: list[str]
    depth: int
    grown: Annotated[list[tuple[float, str]], lambda old, new: [] if new is None else old + new]


class Chain(TypedDict):
    text: str
    scores: Annotated[list[float], operator.add]


def best_of_8(client: Client) -> Any:
    """Eight draws fan out, join, and eight scores fan out."""
    graph = graphs.StateGraph(Voting)

    async def draw(state: dict[str, Any]) -> dict[str, Any]:
        return {"drawn": [await client.draw(state["problem"])]}

    async def score(state: dict[str, Any]) -> dict[str, Any]:
        return {"scored": [(await client.score(state["text"]), state["text"])]}

    graph.add_node("draw", draw)
    graph.add_node("join", lambda state: {})
    graph.add_node("score", score)
    graph.add_conditional_edges(graphs.START, lambda state: [types.Send("draw", state)] * 8, ["draw"])
    graph.add_edge("draw", "join")
    graph.add_conditional_edges(
        "join", lambda state: [types.Send("score", {"text": text}) for text in state["drawn"]], ["score"]
    )
    return graph.compile()


def beam(client: Client) -> Any:
    """A level is a superstep; then the best four go on."""
    graph = graphs.StateGraph(Beams)

    async def grow(state: dict[str, Any]) -> dict[str, Any]:
        text = f"{state['text']}\n{await client.draw(state['text'])}"
        return {"grown": [(await client.score(text), text)]}

    def prune(state: Beams) -> dict[str, Any]:
        best = sorted(state["grown"], reverse=True)[:WIDTH]
        return {"beams": [text for _, text in best], "depth": state["depth"] + 1, "grown": None}

    def fan(state: Beams) -> Any:
        if state["depth"] == DEPTH:
            return graphs.END
        return [types.Send("grow", {"text": text}) for text in state["beams"] for _ in range(BRANCHES)]

    graph.add_node("grow", grow)
    graph.add_node("prune", prune)
    graph.add_conditional_edges(graphs.START, fan, ["grow", graphs.END])
    graph.add_edge("grow", "prune")
    graph.add_conditional_edges("prune", fan, ["grow", graphs.END])
    return graph.compile()


def chain(client: Client) -> Any:
    """The calls of MCTS with one leaf: a draw, then its score, and round again."""
    graph = graphs.StateGraph(Chain)

    async def draw(state: Chain) -> dict[str, Any]:
        return {"text": await client.draw(state["text"])}

    async def score(state: Chain) -> dict[str, Any]:
        return {"scores": [await client.score(state["text"])]}

    def more(state: Chain) -> str:
        return "draw" if len(state["scores"]) < EXPANSIONS else str(graphs.END)

    graph.add_node("draw", draw)
    graph.add_node("score", score)
    graph.add_edge(graphs.START, "draw")
    graph.add_edge("draw", "score")
    graph.add_conditional_edges("score", more, ["draw", graphs.END])
    return graph.compile()


def together(make: Callable[[Client], Any], begin: Callable[[int], Any], problems: int) -> Callable[[str], None]:
    """All problems at once."""

    async def work(url: str) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            graph = make(Client(url, session))
            await asyncio.gather(*(graph.ainvoke(begin(k), {"recursion_limit": 400}) for k in range(problems)))

    return lambda url: asyncio.run(work(url))


if __name__ == "__main__":
    main(
        "langgraph",
        [
            Run(
                BEST_OF_8,
                "Send",
                together(best_of_8, lambda k: {"problem": f"Problem {k}", "drawn": [], "scored": []}, 40),
            ),
            Run(BEAM, "Send in a loop", together(beam, lambda k: {"beams": [f"Problem {k}"], "depth": 0}, 20)),
            Run(
                MCTS,
                "a loop of draw and score",
                together(chain, lambda k: {"text": f"Problem {k}", "scores": []}, 10),
            ),
        ],
    )
