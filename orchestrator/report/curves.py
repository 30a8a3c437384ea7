"""Curves: accuracy over tokens, for the runs of one family that differ in the number of samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from branchwise.orchestrator.report.data import Curve, Point, Strategy


def curves_of(strategies: Sequence[Strategy]) -> tuple[Curve, ...]:
    """A curve for each family that has points, in the order of the strategies."""
    return tuple(_curves(strategies))


def _curves(strategies: Sequence[Strategy]) -> Iterator[Curve]:
    for family in dict.fromkeys(one.family for one in strategies):
        members = sorted((one for one in strategies if one.family == family), key=lambda one: one.samples or 0)
        points = tuple(point for one in members if (point := _point(one)) is not None)
        first = members[0]
        if points:
            kind = first.reward_kind
            yield Curve(name=family, family=family, baseline=first.baseline, reward_kind=kind, points=points)


def _point(one: Strategy) -> Point | None:
    drawn = {each.role: each.drawn.completion / one.attempted for each in one.tokens if one.attempted}
    if one.accuracy is None or one.interval is None or not sum(drawn.values()):
        return None
    return Point(
        label=one.name,
        drawn_tokens=drawn,
        accuracy=one.accuracy,
        low=min(one.interval.low, one.accuracy),
        high=max(one.interval.high, one.accuracy),
        graded=one.graded,
    )
