"""Examination: is each model of a workflow there, is it the one that was meant, can it do what is needed of it?

1. Which capabilities a model is needed for is what `branchwise check` knows, too.
2. A model behind an address: who listens there, and under which names does it serve?
3. One small request for each capability (trials.py), through the same backend that a run would use.
4. A short burst, for its speed.
5. From what was seen: what to change.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace

from pydantic import SecretStr

from branchwise.orchestrator.backends.listening import Listener, listener
from branchwise.orchestrator.core.errors import BackendError, ConfigError
from branchwise.orchestrator.core.message import assistant, user
from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.trials import Speed, Tried, plain, speed, tried
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.validate import needs_of, parts_of

TRY_SECONDS = 60.0
PROBLEM, SOLUTION = "1+1", "1+1=2"


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


def needs(loaded: Loaded) -> dict[str, frozenset[str]]:
    """The capabilities that the workflow needs, by model; none for a model that nobody uses.

    Of a pooling model, ``chat`` and ``completion`` are how it is shown what to score: it is not to write.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for place, role, options in parts_of(loaded.workflow):
        for model, wanted in needs_of(loaded.workflow, place, role, options).items():
            found[model] |= {"pooling"} if "pooling" in wanted else wanted
    return {name: frozenset(found[name]) for name in loaded.workflow.models}


def numbers(loaded: Loaded, model: str) -> Request | None:
    """What the first reward over this pooling model would ask it for, about a solution of one step."""
    for _, _, options in parts_of(loaded.workflow):
        if getattr(options, "model", None) != model:
            continue
        tag: str = getattr(options, "step_tag", "")
        if getattr(options, "ask", "") == "score":
            return Request(prompt=PROBLEM, document=SOLUTION, pooling="score", max_tokens=0)
        if getattr(options, "style", "completion") == "chat":
            said = (user(PROBLEM), assistant(SOLUTION + tag))
            return Request(messages=said, pooling="token_classify" if tag else "classify", max_tokens=0)
        text = f"{PROBLEM}\n{SOLUTION}{tag}"
        return Request(prompt=text, pooling="token_classify" if tag else "classify", max_tokens=0)
    return None


async def examine(loaded: Loaded) -> list[Examined]:
    """Every model of the workflow, one after the other."""
    return [
        await _examined(name, loaded.model(name), wanted, numbers(loaded, name))
        for name, wanted in needs(loaded).items()
    ]


async def _examined(name: str, options: ModelOptions, wanted: frozenset[str], asked: Request | None) -> Examined:
    heard = {url: await asyncio.to_thread(listener, url, _key(options)) for url in addresses(options)}
    found = Examined(name, options.kind, heard, unseen=unseen(f"models.{name}", options))
    model = str(getattr(options, "model", ""))
    advice = tuple(line for url, one in heard.items() for line in advised(f"models.{name}", url, one, model, wanted))
    if advice:
        return replace(found, advice=advice)
    return await _tried(found, _patient(options), wanted, asked if "pooling" in wanted else None)


async def _tried(found: Examined, options: ModelOptions, wanted: frozenset[str], numbers: Request | None) -> Examined:
    try:
        model: Backend = find("backend", options.kind).module.build(options)
    except (BackendError, ConfigError) as error:
        return replace(found, advice=(f"models.{found.name}: {error}",))
    try:
        results = tuple(await tried(model, wanted, numbers))
        lacking = tuple(
            f"models.{found.name}: needed for '{one.need}', and it fails: {one.wrong}" for one in results if one.wrong
        )
        burst = None if lacking else await speed(model, numbers or plain(wanted))
    finally:
        await model.aclose()
    return replace(found, tried=results, speed=burst, advice=lacking)


def addresses(options: ModelOptions) -> list[str]:
    """The base addresses of a model's servers, with the /v1 that replicas are written without."""
    replicas: tuple[str, ...] = getattr(options, "addresses", ())
    return [f"{url}/v1" for url in replicas] or ([options.server] if options.server else [])


def advised(place: str, url: str, heard: Listener, model: str, wanted: frozenset[str]) -> tuple[str, ...]:
    """What to change, as far as the server's own words tell."""
    if heard.missing and not url.endswith("/v1"):
        return (f"{place}.url: {heard.wrong}; did you mean {url.rstrip('/')}/v1?",)
    if "HTTP 401" in heard.wrong or "HTTP 403" in heard.wrong:
        return (f"{place}.api_key: {heard.wrong}: the server wants another key",)
    if heard.wrong:
        return (f"{place}.url: nothing usable answers at {url} ({heard.wrong}): is the server started?",)
    if heard.models and model not in heard.models:
        served = ", ".join(heard.models)
        return (f"{place}.model: '{model}' is not served there; served: {served}. Write one of these names, or start "
                f"the server with --served-model-name {model}",)  # fmt: skip
    return _mistaken(place, heard, wanted)


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


def _key(options: ModelOptions) -> str | None:
    key = getattr(options, "api_key", None)
    return key.get_secret_value() if isinstance(key, SecretStr) else None
