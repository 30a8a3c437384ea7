"""Line plots as plain SVG, for figures in the documentation: no library, no script, the same file every time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

COLOURS = ("#7a7a7a", "#1f5fa8", "#c2571a", "#3d8a4f")
WIDTH, HEIGHT = 380, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 34, 46
STEPS = [digit * 10.0**power for power in range(-2, 6) for digit in (1, 2, 5)]
MOST_TICKS = 10


@dataclass(frozen=True)
class Line:
    """A name and its points."""

    name: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One pair of axes; ticks of x stand where points are. ``span`` is what y shows at least."""

    title: str
    x_label: str
    lines: list[Line]
    span: tuple[float, ...] = ()


def drawn(panels: list[Panel], legend: str) -> str:
    """The panels beside each other, with one legend below, and what it says before the lines' names."""
    width = WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 26}" width="{width}" '
        f'height="{HEIGHT + 26}" font-family="Helvetica, Arial, sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate({number * WIDTH} 0)">', *_panel(panel), "</g>"]
    return "\n".join([*parts, *_legend(legend, [line.name for line in panels[0].lines]), "</svg>"]) + "\n"


def _panel(panel: Panel) -> list[str]:
    xs = sorted({x for line in panel.lines for x, _ in line.points})
    ticks = _ticks([*panel.span, *(y for line in panel.lines for _, y in line.points)])

    def across(x: float) -> float:
        return LEFT + (x - xs[0]) / (xs[-1] - xs[0]) * (WIDTH - LEFT - RIGHT)

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - (y - ticks[0]) / (ticks[-1] - ticks[0]) * (HEIGHT - TOP - BOTTOM)

    parts = [_text(WIDTH / 2, 20, panel.title, size=14), _text(WIDTH / 2, HEIGHT - 10, panel.x_label)]
    for y in ticks:
        parts.append(f'<path d="M{LEFT} {up(y):.1f}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>')
        parts.append(_text(LEFT - 6, up(y) + 4, f"{y:g}", anchor="end"))
    parts += [_text(across(x), HEIGHT - BOTTOM + 18, f"{x:g}") for x in _spread(xs)]
    for line, colour in zip(panel.lines, COLOURS, strict=False):
        places = [(across(x), up(y)) for x, y in line.points]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
    return parts


def _spread(xs: list[float]) -> list[float]:
    """All of them, or every so many, the last one with them."""
    stride = -(-len(xs) // MOST_TICKS)
    return xs[::-1][::stride][::-1]


def _ticks(values: list[float]) -> list[float]:
    """Four to nine round numbers around the values."""
    low, high = min(values), max(values)
    step = next(s for s in STEPS if (high - low) / s <= 7)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 6) for number in range(first, max(last, first + 1) + 1)]


def _legend(legend: str, names: list[str]) -> list[str]:
    parts, x = [_text(LEFT, HEIGHT + 14, legend, anchor="start")], LEFT + 10 + 6.2 * len(legend)
    for name, colour in zip(names, COLOURS, strict=False):
        if not name:
            continue
        parts.append(f'<rect x="{x:.0f}" y="{HEIGHT + 4}" width="14" height="10" fill="{colour}"/>')
        parts.append(_text(x + 19, HEIGHT + 14, name, anchor="start"))
        x += 44 + 6.2 * len(name)
    return parts


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place} fill="#333333">{escape(text)}</text>'
