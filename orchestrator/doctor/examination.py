"""Examination: is each model of a workflow there, is it the one that was meant, can it do what is needed of it?

1. Which capabilities a model is needed for is what `branchwise check` knows, too.
2. A model behind an address: who listens there, and under which names does it serve?
3. One small request for each capability (trials.py), through the same backend that a run would use.
4. Each reward and each judge of pairs over models that are well judges a small solution (rehearsal.py).
5. A short burst for each model's speed: of tokens; of a model that scores, what it was just asked for.
6. From what was seen: what to change.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from branchwise.orchestrator.backends.listening import Listener, listener, unserved
from branchwise.orchestrator.core.errors import BackendError, ConfigError
from branchwise.orchestrator.core.options import ModelOptions, Options
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.doctor.rehearsal import TRY_SECONDS, Rehearsed, Witness, rehearsed
from branchwise.orchestrator.doctor.trials import Speed, Tried, plain, speed, tried
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.spec import SearchNode, Workflow
from branchwise.orchestrator.workflow.validate import needs_of, parts_of, stepwise
from branchwise.orchestrator.workflow.yaml_file import Place


@dataclass(frozen=True, slots=True)
class Examined:
    """One model of the workflow: who listens at each of its addresses, what came of each need, how fast it is, what
    to change, and what can't be seen from here.
    """

    name: str
    kind: str
    listeners: dict[str, Listener]
    tried: tuple[Tried, ...] = ()
    speed: Speed | None = None
    advice: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Nothing has to be changed."""
        return not self.advice


@dataclass(frozen=True, slots=True)
class Examination:
    """All models, and the rewards and judges over those that are well."""

    models: tuple[Examined, ...]
    judged: tuple[Rehearsed, ...]

    @property
    def advice(self) -> list[str]:
        """What to change, and where."""
        lost = [each for each in self.judged if each.wrong]
        return [
            *(line for one in self.models for line in one.advice),
            *(f"{each.place}: {each.kind} can't judge a solution of two steps: {each.wrong}" for each in lost),
        ]

    @property
    def unseen(self) -> list[str]:
        """What can't be seen from here."""
        return [
            *(line for one in self.models for line in one.unseen),
            *(each.unseen for each in self.judged if each.unseen),
        ]


def needs(loaded: Loaded) -> dict[str, frozenset[str]]:
    """The capabilities that the workflow needs, by model; none for a model that nobody uses.

    Of a pooling model, ``chat`` and ``completion`` are how it is shown what to score: it is not to write.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for place, role, options in parts_of(loaded.workflow):
        for model, wanted in needs_of(loaded.workflow, place, role, options).items():
            found[model] |= {"pooling"} if "pooling" in wanted else wanted
    return {name: frozenset(found[name]) for name in loaded.workflow.models}


async def examine(loaded: Loaded) -> Examination:
    """Every model of the workflow, then every reward and judge whose models are well."""
    wanted = needs(loaded)
    found = {name: await _heard(loaded, name, wanted[name]) for name in wanted}
    async with AsyncExitStack() as opened:
        models = dict[str, Witness]()
        for name, one in found.items():
            if one.healthy:
                found[name], model = await _tried(one, _patient(loaded.model(name)), wanted[name], opened)
                models |= {name: model} if model is not None else {}
        judged = await rehearsed(loaded, models)
        for name, model in models.items():
            request = model.first if "pooling" in wanted[name] else plain(wanted[name])
            found[name] = replace(found[name], speed=await speed(model, request) if request is not None else None)
    return Examination(tuple(found.values()), tuple(judged))


async def _heard(loaded: Loaded, name: str, wanted: frozenset[str]) -> Examined:
    """Who listens, and what to change as far as that tells."""
    options = loaded.model(name)
    heard = {url: await asyncio.to_thread(listener, url, options.key) for url in addresses(options)}
    place = f"models.{name}"
    advice = [line for url, one in heard.items() for line in advised(place, url, one, options, wanted)]
    advice += [line for url, one in heard.items() for line in cramped(loaded.workflow, name, options, url, one)]
    return Examined(name, options.kind, heard, advice=tuple(advice), unseen=unseen(place, options))


async def _tried(
    found: Examined, options: ModelOptions, wanted: frozenset[str], opened: AsyncExitStack
) -> tuple[Examined, Witness | None]:
    """What came of each need, and the model if it is well; ``opened`` closes it."""
    try:
        model: Backend = find("backend", options.kind).module.build(options)
    except (BackendError, ConfigError) as error:
        return replace(found, advice=(f"models.{found.name}: {error}",)), None
    opened.push_async_callback(model.aclose)
    results = tuple(await tried(model, wanted))
    wrong = {one.wrong: [each.need for each in results if each.wrong == one.wrong] for one in results if one.wrong}
    lacking = tuple(
        f"models.{found.name}: needed for {', '.join(map(repr, needs))}, and it fails: {why}"
        for why, needs in wrong.items()
    )
    return replace(found, tried=results, advice=lacking), None if lacking else Witness(model)


def addresses(options: ModelOptions) -> list[str]:
    """The base addresses of a model's servers, with the /v1 that replicas are written without."""
    replicas: tuple[str, ...] = getattr(options, "addresses", ())
    return [f"{url}/v1" for url in replicas] or ([options.server] if options.server else [])


def advised(place: str, url: str, heard: Listener, options: ModelOptions, wanted: frozenset[str]) -> tuple[str, ...]:
    """What to change, as far as the server's own words tell."""
    where = f"{place}.{'url' if getattr(options, 'url', None) else 'urls'}"
    if heard.missing and not url.endswith("/v1"):
        return (f"{where}: {heard.wrong}; did you mean {url.rstrip('/')}/v1?",)
    if "HTTP 401" in heard.wrong or "HTTP 403" in heard.wrong:
        return (f"{place}.api_key: {heard.wrong}: the server wants another key",)
    if heard.wrong:
        return (f"{where}: nothing usable answers at {url} ({heard.wrong}): is the server started?",)
    names = options.served_names or {"model": str(getattr(options, "model", ""))}
    lacking = tuple(f"{place}.{key}: {why}" for key, why in unserved(names, {url: heard}))
    return lacking or _mistaken(place, heard, wanted)


def cramped(workflow: Workflow, model: str, options: ModelOptions, url: str, heard: Listener) -> Iterator[str]:
    """Parts that want more tokens of an answer than the server has for prompt and answer together."""
    length = heard.lengths.get(str(getattr(options, "model", "")))
    for place, role, part in parts_of(workflow):
        if length is not None and getattr(part, "model", None) == model:
            key, tokens = _most_tokens(workflow, place, role, part)
            if tokens >= length:
                yield (
                    f"{'.'.join(map(str, place))}.{key}: {tokens} leaves no room for a prompt in the {length} tokens "
                    f"of '{model}' at {url}: write less, or start the server with a greater --max-model-len"
                )


def _most_tokens(workflow: Workflow, place: Place, role: str, part: Options) -> tuple[str, int]:
    """The key that says how long one reply may get, and how long; 0 where there is none."""
    node = workflow.nodes[str(place[1])]
    steps = isinstance(node, SearchNode) and role == "agent" and stepwise(node)
    key = "max_step_tokens" if steps and hasattr(part, "max_step_tokens") else "max_tokens"
    return key, getattr(part, key, None) or 0


def unseen(place: str, options: ModelOptions) -> tuple[str, ...]:
    """What a server takes without a word whether it obeys or not."""
    if getattr(options, "priority", None) is None:
        return ()
    return (f"{place}.priority: obeyed by a server that was started with --scheduling-policy priority, overlooked by "
            "any other; none tells which it is",)  # fmt: skip


def _mistaken(place: str, heard: Listener, wanted: frozenset[str]) -> tuple[str, ...]:
    """A model that scores where one that writes is needed, and the other way round."""
    if heard.scores and heard.writes is False and wanted - {"pooling"}:
        return (f"{place}: this server scores texts (it was started with --runner pooling) and can't write: "
                "point the model to one that generates",)  # fmt: skip
    if heard.writes and heard.scores is False and "pooling" in wanted:
        return (f"{place}: this server writes texts and gives no scores: start it with --runner pooling, "
                "or use a reward that reads text",)  # fmt: skip
    return ()


def _patient(options: ModelOptions) -> ModelOptions:
    """The same options for somebody who waits for the answer."""
    return options.model_copy(update={"timeout_seconds": min(options.timeout_seconds, TRY_SECONDS)})
