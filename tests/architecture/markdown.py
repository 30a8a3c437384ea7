"""The documentation as data: its files, fenced blocks, links and headings. Used by the tests of the documentation.

A block may have a directive in the line above it, as an HTML comment that readers don't see:

``<!-- file: NAME -->``   the test writes the block to NAME and runs nothing
``<!-- live -->``         run by the live tests only: it needs the network or much time
``<!-- extra: NAME -->``  run where the package of this extra is installed
``<!-- not run: WHY -->`` never run by a test
``<!-- exit: 2 -->``      the commands end with this exit code
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_DIRECTIVE = re.compile(r"<!-- (file|live|extra|not run|exit)(?:: (.+?))? -->")
_FENCE = re.compile(r"(`{3,})(\w*)")
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(([^()\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line of its fence, and the directives above it."""

    language: str
    text: str
    line: int
    directives: dict[str, str]


@dataclass
class Command:
    """A line behind ``$`` in a console block, and the output shown for it."""

    text: str
    shown: list[str] = field(default_factory=list)


def name_of(path: Path) -> str:
    """The path below the repository's top."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a file, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start: int | None = None
    fence = language = ""
    for number, line in enumerate(lines):
        match = _FENCE.match(line)
        if start is None and match is not None:
            start, fence, language = number, match[1], match[2]
        elif start is not None and line.strip() == fence:
            text = "\n".join(lines[start + 1 : number]) + "\n"
            yield Block(language, text, start + 1, _directives(lines[:start]))
            start = None
    assert start is None, f"{name_of(path)}:{start}: a block that is never closed"


def commands(text: str) -> list[Command]:
    """The commands of a console block; a line that ends with a backslash goes on in the next one."""
    found: list[Command] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        elif line.strip() and found:
            found[-1].shown.append(line)
    return found


def prose(path: Path) -> str:
    """A file without its fenced blocks and without what is marked as code."""
    text = re.sub(r"^(`{3,}).*?^\1\s*$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def links(path: Path) -> list[str]:
    """The targets of a file's links."""
    return _LINK.findall(prose(path))


def anchors(path: Path) -> set[str]:
    """The anchors of a file's headings, as GitHub makes them."""
    text = re.sub(r"^(`{3,}).*?^\1\s*$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {_anchor(heading) for heading in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)}


def section(path: Path, name: str) -> str:
    """What stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``."""
    _, _, rest = path.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    inside, end, _ = rest.partition(f"<!-- /{name} -->")
    assert end, f"{name_of(path)} has no section {name}"
    return inside


def _directives(above: list[str]) -> dict[str, str]:
    found = {}
    for line in reversed(above):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        found[match[1]] = match[2] or ""
    return found


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
