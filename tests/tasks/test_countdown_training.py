"""The training scripts of the Countdown models: their texts and targets, and a short run of each.

Torch is only installed where models are trained; elsewhere these tests are skipped.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
pytest.importorskip("safetensors")

import torch

from branchwise.tasks.countdown.generator import Puzzle, is_training, training_puzzle
from branchwise.tasks.countdown.reaching import reachable
from branchwise.tasks.countdown.verifier import within_reach
from examples.training import countdown_rows, countdown_states, export, model, writing
from examples.training.batches import IGNORED
from examples.training.vocabulary import COUNTDOWN, EOS

ROOT = Path(__file__).resolve().parents[2]
PUZZLE = Puzzle(37, (3, 5, 19, 25))
LINES = ("19*3=57: 5 25 57", "57-5=52: 25 52")


def counted(targets: list[int]) -> list[int]:
    return [target for target in targets if target != IGNORED]


def test_the_policy_learns_the_solution_and_its_end_only() -> None:
    row = countdown_rows.policy_row(PUZZLE, LINES)
    assert COUNTDOWN.decode(row.tokens) == "37: 3 5 19 25\n" + "\n".join(LINES)
    assert counted(row.targets)[-1] == EOS
    assert COUNTDOWN.decode(counted(row.targets)) == "\n".join(LINES)
    assert row.targets[len(PUZZLE.text)] == COUNTDOWN.encode("1")[0]


def test_the_value_model_learns_labels_at_newlines_and_the_lines_within_reach() -> None:
    row = countdown_states.value_row(countdown_states.Play(PUZZLE, LINES))
    assert COUNTDOWN.decode(row.tokens) == "37: 3 5 19 25\n" + "\n".join(LINES) + "\n"
    newline = COUNTDOWN.token_of["\n"]
    labels = [target for token, target in zip(row.tokens, row.targets, strict=True) if token == newline]
    assert COUNTDOWN.decode(labels) == "++-"
    assert COUNTDOWN.decode(counted(row.targets)) == f"+{LINES[0][1:]}\n+-"


def test_random_play_is_of_the_training_side_and_has_both_labels() -> None:
    rng = random.Random(1)
    plays = [countdown_states.drawn(rng) for _ in range(300)]
    assert all(is_training(play.puzzle.text) for play in plays)
    labels = [label for play in plays for label in within_reach(play.puzzle, play.lines)]
    assert 0.2 < sum(labels) / len(labels) < 0.8
    assert any(not reachable(play.puzzle.numbers, play.puzzle.target) for play in plays)
    assert all(len(countdown_states.value_row(play).tokens) <= model.Shape().context for play in plays)


def test_what_is_left_of_a_puzzle_is_a_puzzle_of_the_training_side() -> None:
    rng = random.Random(2)
    found = [countdown_states.begun(rng, training_puzzle(rng, numbers)) for numbers in (3, 4, 5) for _ in range(50)]
    left = [puzzle for puzzle in found if puzzle is not None]
    assert found[:50] == [None] * 50
    assert {len(puzzle.numbers) for puzzle in left} == {3, 4}
    assert all(is_training(puzzle.text) and puzzle.target not in puzzle.numbers for puzzle in left)


def test_greedy_writing_takes_the_likeliest_token_up_to_the_end() -> None:
    torch.manual_seed(1)
    decoder = model.Decoder(model.Shape(layers=1), COUNTDOWN)
    prompts = ["37: 3 5\n", "7: 3 4\n", "38: 3 5\n"]
    texts = writing.write(decoder, prompts, 12, temperature=0)
    for prompt, text in zip(prompts, texts, strict=True):
        tokens = COUNTDOWN.encode(prompt)
        for _ in range(12):
            with torch.no_grad():
                tokens.append(int(decoder(torch.tensor([tokens]))[0, -1].argmax()))
            if tokens[-1] == EOS:
                break
        assert COUNTDOWN.decode(tokens) == prompt + text


def test_the_exported_vocabulary_has_the_further_characters(tmp_path: Path) -> None:
    export.export(model.Decoder(model.Shape(layers=1), COUNTDOWN), tmp_path, "policy", "countdown")
    vocabulary = json.loads((tmp_path / "policy" / "tokenizer.json").read_text())["model"]["vocab"]
    assert len(vocabulary) == len(COUNTDOWN) == 21
    assert [vocabulary[token] for token in "\u010a09+-*=/:\u0120"] == COUNTDOWN.encode("\n09+-*=/: ")


def test_a_saved_model_knows_its_vocabulary(tmp_path: Path) -> None:
    decoder = model.Decoder(model.Shape(layers=1), COUNTDOWN)
    model.save(decoder, str(tmp_path / "policy.pt"))
    assert model.load(str(tmp_path / "policy.pt")).vocabulary == COUNTDOWN
    assert model.deepened(decoder, 1).vocabulary == COUNTDOWN


def run(module: str, *arguments: str) -> str:
    """The output of a training script run in its smoke setting."""
    command = [sys.executable, "-m", f"examples.training.{module}", "--smoke", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(400)
def test_the_scripts_run_one_after_the_other(tmp_path: Path) -> None:
    assert "10 steps" in run("countdown_policy", "--out", str(tmp_path))
    said = run("countdown_value", "--policy", str(tmp_path / "policy.pt"), "--out", str(tmp_path))
    assert "2 held out" in said
    assert "10 steps" in said
    for name in ("policy", "value"):
        assert (tmp_path / f"{name}.gguf").exists()
        assert (tmp_path / name / "model.safetensors").exists()
