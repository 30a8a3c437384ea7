"""Whether a draw's token ids are exactly its text, so that what follows may go on from the ids.

A stop string may end in the middle of a token: with "." as stop and ".\\n" as the last token, the text ends at the
full stop while the ids hold a newline more. What goes on from such ids goes on from another text. Then the ids are
thrown away, and what follows is asked by text.

1. Walk back from the last token, adding up what each id is as text, until that is at least as long as the stop string
   and the last token together.
2. The ids are right if the text ends with it. A shorter look could be deceived by repetitions ("\\n" "\\n\\n" cut to
   "\\n\\n"); at this length the stop string would have matched earlier.

A token's text is asked once (/detokenize) and remembered; draws that end on it meanwhile wait for the answer. A token
that is only text together with others (a part of a character) does not agree, which errs on the safe side.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace

from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.backends.vllm_tokens import text_of
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw


class Boundaries:
    """What the tokens of one model are as text, as far as it was needed."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._texts: dict[int, str] = {}
        self._asking: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def checked(self, draw: Draw, connection: Connection) -> Draw:
        """The draw, without its ids where they are not its text, or where the server can't tell."""
        if not draw.token_ids or draw.stop_string is None:
            return draw
        try:
            right = await self._agree(draw, draw.stop_string, connection)
        except BackendError:
            right = False
        return draw if right else replace(draw, token_ids=(), prompt_ids=())

    async def _agree(self, draw: Draw, stop: str, connection: Connection) -> bool:
        tail, enough = "", len(stop)
        for number, token in enumerate(reversed(draw.token_ids)):
            piece = await self._text(token, connection)
            tail = piece + tail
            enough += len(piece) if number == 0 else 0
            if len(tail) >= enough:
                return draw.text.endswith(tail)
        return draw.text == tail

    async def _text(self, token: int, connection: Connection) -> str:
        if token not in self._texts:
            async with self._asking[token]:
                if token not in self._texts:
                    self._texts[token] = await text_of([token], self._model, connection)
        return self._texts[token]
