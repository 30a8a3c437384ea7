"""A Request as the JSON body of a vLLM server: the protocol's fields (openai_request.py) and vLLM's own. Pure.

- ``structured_outputs`` binds the form of the answer (the older guided_* fields are silently ignored).
- Tools are ``strict``: else the arguments of a call are not bound to the tool's parameters.
- At temperature 0, n above 1 is refused by the server (HTTP 400): one draw is asked for, and it stands for all n.
- ``prompt_logprobs`` needs max_tokens of at least 1: the one token that comes is thrown away.
- Token ids are asked for where a step ends at a kept stop string, since only then is there anything to go on from.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from branchwise.orchestrator.backends.openai_request import Dialect, add_extra, fields_of
from branchwise.orchestrator.backends.vllm_options import Options, capabilities_of
from branchwise.orchestrator.backends.vllm_structured import structure_of
from branchwise.orchestrator.core.request import Request


class Wording:
    """How requests to one model are worded."""

    def __init__(self, options: Options) -> None:
        self._options = options
        name = options.adapter.name if options.adapter else options.model
        self._dialect = Dialect(name, capabilities_of(options), options.streaming, keeps_stop=True)

    @property
    def model(self) -> str:
        """The name in a request's field ``model``."""
        return self._dialect.model

    def body(self, request: Request) -> bytes:
        """The body, encoded; raises BackendError where the server would answer something else than was asked."""
        plain = replace(request, json_schema=None) if request.json_schema is not None else request
        fields = fields_of(sent(plain), self._dialect)
        if (structure := structure_of(request)) is not None:
            fields["structured_outputs"] = structure
        if request.tools:
            fields["tools"] = [_strict(tool) for tool in fields["tools"]]
        if request.prompt_logprobs:
            self._tell_prompt(fields)
        elif "stream" in fields:
            fields["stream_interval"] = self._options.stream_interval
        if self.wants_ids(request) or request.n > 1:  # of several draws, whose are how many tokens?
            fields["return_token_ids"] = True
        elif "stream" in fields:
            fields["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
        return self.encoded(fields, request)

    def encoded(self, fields: dict[str, Any], request: Request) -> bytes:
        """Any body for the server: these fields, the priority, a user's own fields over them."""
        if self._options.priority is not None:
            fields["priority"] = self._options.priority + request.priority
        add_extra(fields, self._options.extra)
        return json.dumps(fields).encode()

    def wants_ids(self, request: Request) -> bool:
        """Whether this draw may be gone on from by its ids."""
        return self._options.token_ids and request.keep_stop and bool(request.stop)

    def _tell_prompt(self, fields: dict[str, Any]) -> None:
        fields["prompt_logprobs"] = 0
        fields["max_tokens"] = max(1, fields["max_tokens"])
        for name in ("stream", "stream_options"):  # a stream leaves them out
            fields.pop(name, None)


def _strict(tool: dict[str, Any]) -> dict[str, Any]:
    return {**tool, "function": {**tool["function"], "strict": True}}


def sent(request: Request) -> Request:
    """The request that is sent for this one: at temperature 0 one draw stands for all."""
    return replace(request, n=1) if request.n > 1 and request.temperature == 0 else request
