"""The reward heads: what they begin as, where they are read, what their folders hold, and a short run of the scripts.

Torch is only installed where models are trained; elsewhere these tests are skipped.
"""

import json
import random
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("gguf")

import torch
from safetensors.torch import load_file

from branchwise.tasks.arithmetic.generator import Chain, Operation, evaluation_chains
from examples.training import batches, export_heads, heads, importing, measure_heads, train_heads
from tests.tasks.test_training_scripts import run, write_labels

CHAIN = Chain(47, (Operation("+", 38), Operation("*", 3)))
STEPS = ("47+38=85", "85*3=245")
SHIPPED = train_heads.INITIAL.parent
KINDS: tuple[heads.Kind, ...] = ("outcome", "process")


def fresh(kind: heads.Kind) -> heads.Head:
    return heads.HEADS[kind](importing.read_hugging_face(train_heads.INITIAL))


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_begins_as_the_log_odds_of_the_labels(kind: heads.Kind) -> None:
    labelling = importing.read_hugging_face(train_heads.INITIAL)
    head, text = fresh(kind), f"{CHAIN.text}\n" + "".join(f"{step}\n" for step in STEPS)
    with torch.no_grad():
        logits = labelling(torch.tensor([labelling.vocabulary.encode(text)]))[0]
        own = head(torch.tensor([head.vocabulary.encode(head.text(CHAIN.text, STEPS))]))[0]
    expected = logits[:, batches.POSITIVE] - logits[:, batches.NEGATIVE]
    assert len(own) == len(expected)  # a tag stands where a newline stood
    torch.testing.assert_close(own[-1], expected[-1], atol=0.15, rtol=0.1)


def test_an_outcome_model_learns_the_answer_at_the_end() -> None:
    head = fresh("outcome")
    row = train_heads.row_of(head, CHAIN.text, STEPS, [0.25, 0.0])
    assert [target for target in row.targets if target != batches.IGNORED] == [0]
    assert row.targets[-1] == 0
    assert head.vocabulary.decode(row.tokens).endswith("245\n")


def test_a_process_model_learns_each_step_at_its_tag() -> None:
    head = fresh("process")
    row = train_heads.row_of(head, CHAIN.text, STEPS, [0.25, 0.0])
    assert head.vocabulary.decode(row.tokens) == "47+38*3\n47+38=85#85*3=245#"
    judged = [place for place, target in enumerate(row.targets) if target != batches.IGNORED]
    assert [head.vocabulary.decode([row.tokens[place]]) for place in judged] == ["#", "#"]
    assert [row.targets[place] for place in judged] == [1, 0]


def test_solutions_with_a_tag_of_their_own_are_left_out() -> None:
    solution = train_heads.LabelledSolution(problem="1+1", steps=("1+1=2#",), labels=(1.0,))
    assert train_heads.rows_of(fresh("process"), [solution]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_holds_the_layout_that_servers_know(kind: heads.Kind, tmp_path: Path) -> None:
    head = fresh(kind)
    export_heads.export_head(head, tmp_path)
    config, weights = json.loads((tmp_path / "config.json").read_text()), load_file(tmp_path / "model.safetensors")
    assert config["hidden_size"] // config["num_attention_heads"] >= 32
    assert not any("lm_head" in name for name in weights)
    if kind == "outcome":
        assert config["architectures"] == ["LlamaForSequenceClassification"]
        assert weights["score.weight"].shape == (config["num_labels"], config["hidden_size"]) == (1, 128)
    else:
        assert config["architectures"] == ["Qwen2ForProcessRewardModel"]
        assert weights["score.2.weight"].shape == (2, 128)
        assert not weights["model.layers.0.self_attn.k_proj.bias"].any()
        assert importing.read_vocabulary(tmp_path / "tokenizer.json").token_of["#"] == config["step_tag_id"]
    read = measure_heads.read_head(kind, tmp_path)
    tokens = torch.tensor([head.vocabulary.encode(head.text(CHAIN.text, STEPS))])
    torch.testing.assert_close(read(tokens), head(tokens), atol=0.1, rtol=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_head_tells_right_from_wrong(kind: heads.Kind) -> None:
    chains = evaluation_chains(random.Random(5), 60, 3)
    head = measure_heads.read_head(kind, SHIPPED / kind)
    rows = [train_heads.row_of(head, chain.text, chain.steps, [1.0] * 3) for chain in chains]
    with torch.no_grad():
        right = torch.stack([head(torch.tensor([row.tokens]))[0, -1] for row in rows])
        spoilt = [(*chain.steps[:2], chain.steps[2] + "7") for chain in chains]
        texts = [head.text(chain.text, steps) for chain, steps in zip(chains, spoilt, strict=True)]
        wrong = torch.stack([head(torch.tensor([head.vocabulary.encode(text)]))[0, -1] for text in texts])
    assert (right > wrong).float().mean() > 0.9
    assert (wrong < 0).float().mean() > 0.8


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_the_script_runs(kind: heads.Kind, tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    write_labels(labels, 100)
    printed = run("train_heads", "--head", kind, "--labels", str(labels), "--out", str(tmp_path / kind))
    assert "80 solutions to learn from, 20 held out" in printed
    assert (tmp_path / kind / "model.safetensors").exists()
