"""What the documentation shows is what happens: code runs, workflows load, commands work, links resolve.

Each file is worked through from top to bottom in an empty folder that has the repository's examples:

1. Python blocks run in one namespace, as a module that workflows can name.
2. YAML blocks are workflows or suites: they are loaded and checked.
3. ``$ branchwise ...`` and ``$ python ...`` run; other commands (make, pip, git) don't. Where output is shown, its
   lines have to be among those printed, numbers apart; ``...`` stands for any others.
4. A ``pyproject.toml`` is installed as far as its entry points go.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from branchwise.orchestrator.cli import main
from branchwise.orchestrator.commands.preparing import loaded_from
from branchwise.orchestrator.evaluation.suite import Suite
from branchwise.orchestrator.workflow.yaml_file import read_yaml, validated
from tests.architecture import reference
from tests.architecture.markdown import (
    FILES,
    ROOT,
    Block,
    Command,
    anchors,
    blocks,
    commands,
    links,
    name_of,
    section,
)

ENVIRONMENT = {"SERVER": "http://localhost:8000/v1", "OPENAI_API_KEY": "not-a-key"}
LANGUAGES = {"python", "yaml", "console", "toml", "json", "text", "mermaid"}
ELSEWHERE = {"make", "pip", "git", "cd", "kill", "ruff"}
"""Commands that are shown and not run here."""

SPEAKING = [path for path in FILES if any(True for _ in blocks(path))]
DEMANDING = [path for path in SPEAKING if any("live" in block.directives for block in blocks(path))]
every_file = pytest.mark.parametrize("path", FILES, ids=name_of)


@dataclass
class Walk:
    """One file's way through an empty folder."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    module: ModuleType

    def take(self, block: Block) -> None:
        """Do what the block says."""
        if (name := block.directives.get("file")) is not None:
            self._write(name, block)
        if "not run" in block.directives or not installed(block.directives.get("extra")):
            return
        match block.language:
            case "python" if name is None:
                exec(compile(block.text, f"block at line {block.line}", "exec"), self.module.__dict__)
            case "yaml":
                self._load(name or "block.yaml", block)
            case "console":
                for command in commands(block.text):
                    self._run(command, int(block.directives.get("exit", "0")))
            case "json" if name is None:
                json.loads(block.text)

    def _write(self, name: str, block: Block) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        if path.name == "pyproject.toml":
            install(self.folder, tomllib.loads(block.text)["project"])

    def _load(self, name: str, block: Block) -> None:
        path = self.folder / name
        path.write_text(block.text, encoding="utf-8")
        data, lines = read_yaml(path)
        if "parts" in data:
            validated(Suite, data, ENVIRONMENT, name, lines)
        elif not list(self.folder.glob("*.dist-info")):  # else the command that follows checks it
            loaded_from(path, ENVIRONMENT, ())

    def _run(self, command: Command, exit_code: int) -> None:
        words = shlex.split(command.text)
        environment = dict(ENVIRONMENT)
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, environment[name] = words.pop(0).partition("=")
        if words[0] in ELSEWHERE:
            return
        code, printed = self._in_process(words) if self._is_plain(words) else self._as_process(words, environment)
        assert code == exit_code, f"$ {command.text}\n{printed}"
        shown_is_printed(command, printed)

    def _is_plain(self, words: list[str]) -> bool:
        return words[0] == "branchwise" and not list(self.folder.glob("*.dist-info"))

    def _in_process(self, words: list[str]) -> tuple[int, str]:
        self.capture.readouterr()
        try:
            code = main(words[1:], {**os.environ, **ENVIRONMENT})
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = self.capture.readouterr()
        return code, captured.out + captured.err

    def _as_process(self, words: list[str], environment: dict[str, str]) -> tuple[int, str]:
        assert words[0] in ("branchwise", "python"), f"{words[0]}: neither run nor known to be run elsewhere"
        start = ["-m", "branchwise.orchestrator.cli"] if words[0] == "branchwise" else []
        found = {**os.environ, **environment, "PYTHONPATH": str(self.folder)}
        ran = subprocess.run(
            [sys.executable, *start, *words[1:]],
            cwd=self.folder,
            env=found,
            capture_output=True,
            text=True,
            timeout=100,
        )
        return ran.returncode, ran.stdout + ran.stderr


def installed(extra: str | None) -> bool:
    """Whether the package of an extra is there, or none is wanted."""
    return extra is None or find_spec(extra) is not None


def install(folder: Path, project: dict[str, object]) -> None:
    """What ``pip install --editable`` leaves behind: the entry points, on the path."""
    info = folder / f"{project['name']}-0.dist-info"
    info.mkdir(exist_ok=True)
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    groups = project["entry-points"]
    assert isinstance(groups, dict)
    text = "".join(
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
        for group, entries in groups.items()
    )
    info.joinpath("entry_points.txt").write_text(text)


def shown_is_printed(command: Command, printed: str) -> None:
    """Every line of output that is shown was printed, in this order, numbers and spaces apart."""
    lines = iter([_skeleton(line) for line in printed.splitlines()])
    for line in command.shown:
        wanted, cut, _ = line.partition("...")
        if wanted.strip():
            found = any(_fits(_skeleton(wanted), other, bool(cut)) for other in lines)
            assert found, f"$ {command.text}\nnot printed: {line}\n{printed}"


def _fits(wanted: str, printed: str, cut: bool) -> bool:
    return printed.startswith(wanted) if cut else printed == wanted


def _skeleton(line: str) -> str:
    return re.sub(r"[-\s]+", " ", re.sub(r"[\d.,]*\d", "#", line)).strip()


@pytest.fixture
def walk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Iterator[Walk]:
    """An empty folder with the examples in it, on the path; modules that are found there are forgotten afterwards."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before, module = set(sys.modules), ModuleType("shown_in_the_documentation")
    sys.modules[module.__name__] = module
    yield Walk(tmp_path, capsys, module)
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")) or name == module.__name__:
            del sys.modules[name]


@pytest.mark.parametrize("path", SPEAKING, ids=name_of)
def test_what_a_file_shows_works(path: Path, walk: Walk) -> None:
    for block in blocks(path):
        if "live" not in block.directives:
            walk.take(block)


@pytest.mark.live
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", DEMANDING, ids=name_of)
def test_what_a_file_shows_works_with_everything_at_hand(path: Path, walk: Walk) -> None:
    for block in blocks(path):
        walk.take(block)


@every_file
def test_blocks_have_a_language_that_is_looked_after(path: Path) -> None:
    for block in blocks(path):
        assert block.language in LANGUAGES, f"{name_of(path)}:{block.line}"
        if block.language != "console":  # what a command prints is shown as it is
            long = [line for line in block.text.splitlines() if len(line) > 118]
            assert not long, f"{name_of(path)}:{block.line}: a long line"


@every_file
def test_links_and_anchors_resolve(path: Path) -> None:
    for target in links(path):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{name_of(path)}: {target}"
        assert there.is_relative_to(ROOT), f"{name_of(path)}: {target} leads out of the repository"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{name_of(path)}: {target}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, to_do = set[Path](), [ROOT / "README.md"]
    while to_do:
        path = to_do.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        to_do += [(path.parent / target.partition("#")[0]).resolve() for target in links(path) if ":" not in target]
    assert set(FILES) <= reached, [name_of(path) for path in set(FILES) - reached]


@pytest.mark.parametrize(("page", "name"), reference.SECTIONS, ids=lambda value: str(value))
def test_the_tables_of_keys_and_options_are_those_of_the_models(page: str, name: str) -> None:
    assert section(ROOT / page, name) == reference.SECTIONS[page, name](), "python -m tests.architecture.reference"


def test_readme_examples_are_as_short_as_they_are_said_to_be() -> None:
    shown = {block.language: block.text.strip().splitlines() for block in blocks(ROOT / "README.md")}
    assert len(shown["python"]) <= 15
    assert len(shown["yaml"]) <= 20


MACHINE = re.compile(
    r"(?<![\w.-])/(?:work|root|home|Users)/|/tmp/[s]cratch|[.][.]/[s]hared|[.][l]ibrary/"
    r"|\b[f]arm-\w|\b[i]ssues (?:show|list|close)"
)


def test_no_file_names_what_is_on_one_machine_only() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".yaml", ".toml", ".txt", ".json", ".html", ".js", ""}:
            found = MACHINE.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{name}: {found and found[0]}"


def test_yaml_in_the_examples_is_yaml() -> None:
    for path in sorted((ROOT / "examples").rglob("*.yaml")):
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict), name_of(path)
