"""Texts and tokens of an embedded model: templates, counts and names, asked over the engine's own loopback port.

llama.cpp's server engine listens on 127.0.0.1 whether one wants it or not; its in-process interface can
generate, but not tokenize. So the port is closed to everybody else by a key that is made anew each time, and
used for the three questions below. One takes about 0.25 ms; answers are remembered.
"""

from __future__ import annotations

import http.client
import json
import threading
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from branchwise.orchestrator.backends.embedded_wire import Prompt, refusal
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import Message, Text
from branchwise.orchestrator.core.request import Request

TIMEOUT_SECONDS = 30.0


class Texts:
    """Asks a running engine about texts and tokens; may be used from several threads."""

    def __init__(self, address: str, key: str) -> None:
        place = urlsplit(address)
        self._host, self._port = place.hostname or "127.0.0.1", place.port
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._lock = threading.Lock()
        self._connection = self._connect()
        self._templated = lru_cache(maxsize=1024)(self._apply_template)
        self._counted = lru_cache(maxsize=4096)(self._count)
        self.name_of = lru_cache(maxsize=None)(self._name)

    def prompt_of(self, request: Request) -> Prompt:
        """The prompt as the engine wants it; messages go through the model's chat template."""
        if request.token_ids is not None:
            return request.token_ids
        return request.prompt if request.prompt is not None else self._templated(request.messages)

    def count(self, request: Request) -> int:
        """Prompt tokens, exactly, with the beginning-of-sequence token where the model wants one."""
        prompt = self.prompt_of(request)
        return self._counted(prompt) if isinstance(prompt, str) else len(prompt)

    def adds_bos(self) -> bool:
        """Whether a beginning-of-sequence token is put before plain prompts."""
        return self._counted("") > 0

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)

    def _count(self, text: str) -> int:
        tokens = self._ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]
        return len(tokens)

    def _name(self, token: int) -> str:
        return str(self._ask("/detokenize", {"tokens": [token]})["content"])

    def _apply_template(self, messages: tuple[Message, ...]) -> str:
        wire = [{"role": message.role, "content": _plain(message)} for message in messages]
        body: dict[str, Any] = {"messages": wire}
        if messages[-1].role == "assistant":
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return str(self._ask("/apply-template", body)["prompt"])

    def _ask(self, route: str, body: dict[str, Any]) -> dict[str, Any]:
        data = json.dumps(body)
        with self._lock:
            try:
                answer = self._send(route, data)
            except (http.client.HTTPException, OSError):  # the engine closes idle connections
                self._connection.close()
                try:
                    answer = self._send(route, data)
                except (http.client.HTTPException, OSError) as error:
                    raise BackendError(f"the embedded engine does not answer: {error!r}") from error
        if "error" in answer:
            raise refusal(answer["error"])
        return answer

    def _send(self, route: str, data: str) -> dict[str, Any]:
        self._connection.request("POST", route, data, self._headers)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer


def _plain(message: Message) -> str:
    if any(not isinstance(part, Text) for part in message.parts):
        raise BackendError("the embedded backend takes messages of plain text only")
    return message.text
