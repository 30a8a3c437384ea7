"""The report as one HTML file that loads nothing.

1. The data goes in as JSON, with every character escaped that could end or open markup.
2. Our scripts show it through textContent alone; charts and trees are drawn on a canvas by Apache ECharts.
3. A Content-Security-Policy allows exactly these scripts and this style, by their hashes, and no connection,
   image, frame or form; trusted types forbid turning any string but the empty one into markup or code.

So a model's text can't run, load or change anything, even where step 1 or 2 had a mistake.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from branchwise.orchestrator.report.data import Report

LIBRARY = "echarts.min.js"
SCRIPTS = (
    "dom.js",
    "format.js",
    "colours.js",
    "header.js",
    "results.js",
    "comparisons.js",
    "endings.js",
    "charts.js",
    "accuracy.js",
    "reliability.js",
    "spending.js",
    "problem_row.js",
    "problems.js",
    "tree_model.js",
    "tree_scale.js",
    "tree_picture.js",
    "tree_key.js",
    "tree_panel.js",
    "tree.js",
    "report.js",
)
ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def render(report: Report) -> str:
    """The page, as text to be written in UTF-8 with its line ends unchanged."""
    parts = {
        "STYLE": asset("report.css"),
        "LIBRARY": asset(LIBRARY),
        "SCRIPT": script(),
        "DATA": report.model_dump_json().translate(ESCAPES),
    }
    parts["POLICY"] = policy(parts["STYLE"], parts["LIBRARY"], parts["SCRIPT"])
    # One pass, so that nothing in the data is taken for a place to fill.
    return re.sub(r"@@([A-Z]+)@@", lambda place: parts[place[1]], asset("report.html"))


def asset(name: str) -> str:
    """The text of a file in assets/."""
    return (files("branchwise.orchestrator.report") / "assets" / name).read_text(encoding="utf-8")


def script() -> str:
    """Our scripts as one, sharing one scope of their own."""
    body = "\n".join(asset(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{body}}})();'


def policy(style: str, *scripts: str) -> str:
    """A Content-Security-Policy that allows this style and these scripts, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(map(_hash, scripts)),
            "style-src " + _hash(style),
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types default",
        )
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
