"""Put what `branchwise evaluate --markdown FILE` wrote into a section of a page, so that no figure is copied by hand.

    python -m tests.architecture.figures gains.md docs/evaluation.md "search gains"

The section stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.
"""

from __future__ import annotations

import sys
from pathlib import Path


def filled(page: str, name: str, text: str) -> str:
    """The page with this text as the section. ValueError where it has no such section."""
    opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = page.partition(opening)
    _, ended, after = rest.partition(closing)
    if not found or not ended:
        raise ValueError(f"there is no section '{name}'")
    return before + opening + text.strip() + "\n" + closing + after


def main(tables: Path, page: Path, name: str) -> None:
    """Write the page."""
    text = filled(page.read_text(encoding="utf-8"), name, tables.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
