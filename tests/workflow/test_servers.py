"""Models of one name on several servers: each server is asked, and a server on its own may move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError, solve
from branchwise.orchestrator.workflow.load import load_workflow, read_workflow
from branchwise.orchestrator.workflow.servers import told_by_address
from branchwise.orchestrator.workflow.validate import validate
from tests.server import Server

FILE = """\
models:
  a:
    kind: openai
    model: m
    url: http://host/v1?key=hunter2
  b:
    kind: openai
    model: m
    url: http://HOST/v1/?key=hunter3
nodes:
  s: {kind: search, algorithm: {kind: greedy}, policy: {kind: solver, model: a}}
"""


def flow(**models: dict[str, Any]) -> dict[str, Any]:
    """A greedy search a model, which all ask for the same draw."""
    names = list(models)
    ways = dict(zip(names, [*names[1:], "end"], strict=True))
    nodes = {
        name: {"kind": "search", "algorithm": {"kind": "greedy"}, "policy": {"kind": "solver", "model": name}}
        for name in names
    }
    served = {name: {"kind": "openai", "model": "m", **options} for name, options in models.items()}
    return {"models": served, "nodes": {name: node | {"next": ways[name]} for name, node in nodes.items()}}


def addresses(**models: dict[str, Any]) -> dict[str, str]:
    return told_by_address(read_workflow(flow(**models), {}, Path()).workflow)


@pytest.mark.parametrize("extra", [{}, {"top_k": 5}])
async def test_each_of_two_servers_is_asked_for_its_own_draw(server: Server, tmp_path: Path, extra: Any) -> None:
    async with Server() as other:
        workflow = flow(a={"url": server.url, "extra": extra}, b={"url": other.url, "extra": extra})
        await solve("p", workflow, out=tmp_path / "r")
        assert (server.seen.calls, other.seen.calls) == (1, 1)
        swapped = flow(a={"url": other.url, "extra": extra}, b={"url": server.url, "extra": extra})
        await solve("p", swapped, reuse=[tmp_path / "r"], replay=True)
        with pytest.raises(ConfigError, match="the models changed"):
            await solve("p", swapped, out=tmp_path / "r")


async def test_one_server_under_two_names_is_asked_once(server: Server) -> None:
    await solve("p", flow(a={"url": server.url}, b={"url": server.url + "/", "max_in_flight": 1}))
    assert server.seen.calls == 1


async def test_a_server_that_moved_keeps_its_draws(server: Server, tmp_path: Path) -> None:
    await solve("p", flow(a={"url": server.url}), out=tmp_path / "r")
    async with Server() as other:
        await solve("p", flow(a={"url": other.url}), out=tmp_path / "r")
        await solve("p", flow(a={"url": other.url}), reuse=[tmp_path / "r"], replay=True)
        assert other.seen.calls == 0


def test_addresses_count_only_where_nothing_else_tells_models_apart() -> None:
    assert addresses(a={"url": "http://a/v1"}, b={"url": "http://b/v1", "model": "n"}) == {}
    assert addresses(a={"url": "http://a/v1"}, b={"url": "http://b/v1", "extra": {"top_k": 5}}) == {}
    told = addresses(a={"url": "http://a/v1?key=hunter2"}, b={"url": "http://b/v1/"}, c={"url": "http://b/v1"})
    assert told == {"a": "http://a/v1", "b": "http://b/v1", "c": "http://b/v1"}


def test_models_that_only_a_query_tells_apart_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(FILE)
    with pytest.raises(ConfigError, match=r"w\.yaml:9: models\.b\.url: .* from 'a' at http://host/v1") as wrong:
        validate(load_workflow(tmp_path / "w.yaml", {}))
    assert "hunter" not in str(wrong.value)
