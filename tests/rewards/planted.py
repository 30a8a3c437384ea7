"""The planted case: a policy that mostly answers 1 and sometimes 7, and a judge who likes the one or the other.

The judge is scripted. It says what it likes to each question that a reward puts: in marks, votes, verdicts and JSON,
in the probabilities of labels, in a classifier's numbers, in the log-probabilities of what it reads.
"""

from __future__ import annotations

import json
import math
import re

from branchwise import ScriptedBackend
from branchwise.orchestrator.core.request import Request, TokenLogprob
from branchwise.orchestrator.core.trajectory import Trajectory
from tests.speaking import asked

Liked = str


def other(liked: Liked) -> Liked:
    """The answer that is not liked."""
    return "1" if liked == "7" else "7"


def likes_7(trajectory: Trajectory) -> float:
    """A rule that likes the rare answer."""
    return float("I choose 7" in trajectory.text)


def likes_1(trajectory: Trajectory) -> float:
    """A rule that likes the frequent answer."""
    return float("I choose 1" in trajectory.text)


def policy(right: Liked | None) -> ScriptedBackend:
    """Chooses in its first step, answers in its second; the greedy choice is 1. The sums of one choice are right."""

    def said(request: Request, seed: int) -> str:
        chosen = re.search(r"^I choose (\d)", asked(request), re.MULTILINE)
        if chosen is not None:
            return f"answer: {chosen[1]}"
        choice = "7" if seed % 3 == 1 and request.temperature else "1"
        return f"I choose {choice} , as {choice} + 0 = {choice if right in (None, choice) else 4}\nanswer: {choice}"

    return ScriptedBackend(said)


def judge(liked: Liked) -> ScriptedBackend:
    """Says of each question that a reward puts, and in numbers, that it likes this answer."""
    return ScriptedBackend(
        lambda request, seed: _reply(request, liked),
        name="judge",
        logprob=lambda request, seed: _labels(request, liked),
        values=lambda request: _values(request, liked),
    )


def _reply(request: Request, liked: Liked) -> str:
    text, good = asked(request), f"I choose {liked}"
    first, _, second = text.partition("Answer B:")
    named = dict(re.findall(r"^(model-\d+):\nI choose (\d)", text, re.MULTILINE))
    listed = re.findall(r"^Response \d+:\nI choose (\d)", text, re.MULTILINE)
    if named:
        return json.dumps({"scores": {name: 5 if answer == liked else 2 for name, answer in named.items()}})
    if second:
        return f"<answer>[[{'B' if good in second and good not in first else 'A'}]]</answer>"
    if listed and "Mark it by this rubric" not in text:
        return f"\\boxed{{{', '.join('9' if answer == liked else '2' for answer in listed)}}}"
    mark = 9 if good in text else 2
    return json.dumps({"critique": "", "score": mark}) if request.json_schema else f"Score: {mark}"


def _labels(request: Request, liked: Liked) -> tuple[TokenLogprob, ...]:
    """One of two labels, of each pair that a reward asks for."""
    if not request.logprobs:
        return ()
    text, good = asked(request), f"I choose {liked}"
    first, _, second = text.partition("Answer B:")
    likes = good in text if not second else good in first or good not in second
    top = [(label, math.log((0.9 if likes else 0.1) / 3)) for label in ("Yes", "+", "A")]
    top += [(label, math.log((0.1 if likes else 0.9) / 3)) for label in ("No", "-", "B")]
    return (TokenLogprob(*top[0], top=tuple(top)),)


def _values(request: Request, liked: Liked) -> tuple[tuple[float, ...], ...]:
    """A row a step tag, or one for the whole."""
    text = request.document or asked(request)
    likes = 3.0 if f"I choose {liked}" in text else -3.0
    return ((-likes, likes),) * text.count("#") if request.pooling == "token_classify" else ((likes,),)


def telling(name: str, liked: Liked, nats: float) -> ScriptedBackend:
    """Says how likely each word of what it is shown is: the liked choice by so many nats more than the other."""

    def told(request: Request) -> tuple[TokenLogprob, ...]:
        pieces = re.findall(r"\s+|\S+", asked(request))
        gains = {liked: nats, other(liked): -nats}
        return tuple(TokenLogprob(piece, -9.0 + gains.get(piece, 0.0)) for piece in pieces[1:])

    return ScriptedBackend(lambda request, seed: "", name=name, prompt_logprobs=told)
