"""The training scripts: their texts and targets, the two exported forms, and a short run of each.

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

import gguf
import torch
from safetensors.torch import load_file

from branchwise.tasks.arithmetic.generator import Chain, Operation, training_chain
from examples.training import batches, export, labels, mistakes, model, pupil, train_policy, train_reward_model

ROOT = Path(__file__).resolve().parents[2]
CHAIN = Chain(47, (Operation("+", 38), Operation("*", 3)))


def test_the_policy_learns_the_solution_and_its_end_only() -> None:
    row = batches.policy_row(CHAIN)
    assert model.decode(row.tokens) == "47+38*3\n47+38=85\n85*3=255"
    counted = [target for target in row.targets if target != batches.IGNORED]
    assert counted[-1] == model.EOS
    assert model.decode(counted) == "47+38=85\n85*3=255"
    assert row.targets[len("47+38*3\n") - 1] == model.encode("4")[0]


def test_the_reward_model_learns_one_label_at_the_end_of_each_step() -> None:
    row = batches.reward_row("47+38*3", ["47+38=85", "85*3=245"], [0.25, 0.0])
    assert model.decode(row.tokens) == "47+38*3\n47+38=85\n85*3=245\n"
    ends = [place for place, target in enumerate(row.targets) if target != batches.IGNORED]
    assert [row.tokens[place] for place in ends] == model.encode("\n\n")
    assert [row.targets[place] for place in ends] == model.encode("+-")
    assert [row.probabilities[place] for place in ends] == [0.25, 0.0]


def test_padding_never_counts() -> None:
    short, long = batches.policy_row(Chain(1, (Operation("+", 1),))), batches.policy_row(CHAIN)
    batch = batches.stack([short, long])
    assert batch.tokens.shape == batch.targets.shape == (2, len(long.tokens))
    assert (batch.targets[0, len(short.tokens) :] == batches.IGNORED).all()


def test_later_tokens_do_not_change_earlier_logits() -> None:
    decoder = model.Decoder(model.Shape(layers=2))
    text = torch.tensor([model.encode("47+38\n47+38=85")])
    with torch.no_grad():
        torch.testing.assert_close(decoder(text)[:, :6], decoder(text[:, :6]), rtol=1e-4, atol=1e-4)


def test_both_exported_forms_hold_the_same_numbers(tmp_path: Path) -> None:
    decoder = model.Decoder(model.Shape(layers=1))
    export.export(decoder, tmp_path, "policy")
    folder = load_file(tmp_path / "policy" / "model.safetensors")
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "policy.gguf").tensors}
    assert len(folder) == len(tensors) == len(decoder.state_dict())
    for key, value in folder.items():
        name = export.gguf_name(key.removeprefix("model."))
        rotated = name.endswith(("attn_q.weight", "attn_k.weight"))
        expected = (export.paired(value, decoder.shape.heads) if rotated else value).float()
        found = torch.tensor(gguf.quants.dequantize(tensors[name].data, tensors[name].tensor_type))
        # Q8_0 rounds to 1/127 of the largest number of a block, and that scale itself to 11 bits.
        assert (found - expected).abs().max() <= expected.abs().max() / 127 * 0.57, name


def test_the_folder_spells_the_same_vocabulary(tmp_path: Path) -> None:
    export.export(model.Decoder(model.Shape(layers=1)), tmp_path, "policy")
    vocabulary = json.loads((tmp_path / "policy" / "tokenizer.json").read_text())["model"]["vocab"]
    config = json.loads((tmp_path / "policy" / "config.json").read_text())
    assert [vocabulary[token] for token in "0123456789+-*="] == model.encode("0123456789+-*=")
    assert vocabulary["\u010a"] == model.encode("\n")[0]
    assert config["vocab_size"] == len(vocabulary)


def test_area_under_the_curve() -> None:
    assert train_reward_model.auc([(0.9, True), (0.1, False), (0.4, True), (0.5, False)]) == 0.75
    assert train_reward_model.auc([(0.5, True), (0.5, False)]) == 0.5
    assert train_reward_model.auc([(0.5, True)]) == 0.5


def test_a_success_needs_every_token_of_the_solution() -> None:
    chain = Chain(8, (Operation("*", 2),))
    batch = batches.stack([batches.policy_row(chain)])

    class Knows(torch.nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(*tokens.shape, len(model.VOCABULARY))
            return logits.scatter(2, batch.targets.clamp(min=0).unsqueeze(2), 50.0)

    decoder = Knows()
    assert train_policy.success(decoder, batch) == pytest.approx((1.0, 1.0, 1.0))  # type: ignore[arg-type]
    batch.targets[0, -2] = model.encode("7")[0]
    right = batches.stack([batches.policy_row(chain)])
    assert train_policy.success(decoder, right).greedy == 0.0  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [[1.0], [1.0, 2.0], [1.0, -0.1]])
def test_labels_that_do_not_fit_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="one label from 0 to 1"):
        labels.LabelledSolution(problem="1+1", steps=("1+1=2", "2+0=2"), labels=tuple(bad))


def run(module: str, *arguments: str) -> str:
    """The output of a training script run in its smoke setting."""
    command = [sys.executable, "-m", f"examples.training.{module}", "--smoke", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_labels(path: Path, count: int) -> None:
    """True solutions, every second one with a wrong last digit."""
    rng = random.Random(1)
    with path.open("w") as file:
        for index in range(count):
            chain = training_chain(rng, rng.randint(1, 5))
            steps, labels = list(chain.steps), [1.0] * len(chain.steps)
            if index % 2:
                steps[-1] += "7"
                labels[-1] = 0.0
            file.write(json.dumps({"problem": chain.text, "steps": steps, "labels": labels}) + "\n")


@pytest.mark.timeout(300)
def test_the_scripts_run_one_after_the_other(tmp_path: Path) -> None:
    out = ("--out", str(tmp_path))
    assert "10 steps" in run("train_policy", *out)
    file = tmp_path / "labels.jsonl"
    write_labels(file, 400)
    begun = ("--solutions", str(file), "--initial", str(tmp_path / "policy.pt"))
    assert "8 steps" in run("train_verifier", *begun, *out)
    given = ("--labels", str(file), "--initial", str(tmp_path / "verifier.pt"))
    assert "320 solutions to learn from, 80 held out" in run("train_reward_model", *given, *out)
    read = gguf.GGUFReader(tmp_path / "reward.gguf")
    assert sum(tensor.name.endswith("attn_q.weight") for tensor in read.tensors) == 6
    assert (tmp_path / "reward" / "model.safetensors").exists()


def test_a_spoilt_solution_is_right_up_to_its_first_wrong_character() -> None:
    rng = random.Random(1)
    for _ in range(300):
        chain = training_chain(rng, 3)
        row = mistakes.spoilt(rng, chain)
        written = model.decode(row.tokens)[len(chain.text) + 1 :]
        truth = "\n".join(chain.steps) + "\n"
        agreed = sum(written[: length + 1] == truth[: length + 1] for length in range(len(written)))
        verdicts = row.verdicts[len(chain.text) + 1 :]
        assert verdicts == [batches.POSITIVE] * agreed + [batches.NEGATIVE] * (len(written) - agreed)


def marks(chain: Chain, *steps: str) -> tuple[str, str, str]:
    """The marks of the solution's characters, a blank where there is none."""
    row = mistakes.marked(chain, steps)
    begin = len(chain.text) + 1
    shown = ("".join(" " if mark < 0 else model.decode([mark]) for mark in which[begin:]) for which in
             (row.verdicts, row.characters, row.following))  # fmt: skip
    verdicts, characters, following = shown
    return verdicts, characters, following


def test_after_a_mistake_the_next_line_goes_on_teaching() -> None:
    chain = Chain(5, (Operation("+", 3), Operation("*", 2)))
    verdicts, characters, following = marks(chain, "5+3=9", "9*2=18")
    assert verdicts == "++++--" + "-" * 7
    assert characters == "++++- " + "+" * 7
    assert following == "+3=8 9" + "*2=18\n "


def test_a_line_that_cannot_be_read_leaves_the_next_without_marks_of_its_own() -> None:
    chain = Chain(5, (Operation("+", 3), Operation("*", 2)))
    verdicts, characters, _ = marks(chain, "5+", "9*2=18", "1")
    assert verdicts == "++-" + "-" * 9
    assert characters == "++-" + " " * 9


def test_the_head_that_looks_back_attends_to_the_character_before() -> None:
    learner = pupil.Pupil(model.Decoder(model.Shape(layers=2)), 1)
    rng = random.Random(1)
    batch = mistakes.stack_marked([mistakes.spoilt(rng, training_chain(rng, 2)) for _ in range(20)])
    learner.look_back(batch)
    layer, shape = learner.verifier.layers[2], learner.verifier.shape
    with torch.no_grad():
        stream = layer.input_layernorm(learner.verifier.streams(batch.tokens)[1])
        cosine, sine = (learner.verifier.get_buffer(name)[: stream.shape[1]] for name in ("cosine", "sine"))
        attention = layer.self_attn
        query, key = (model.rotate(part(stream)[..., : shape.head_width], cosine, sine)
                      for part in (attention.q_proj, attention.k_proj))  # fmt: skip
        where = (query @ key.transpose(1, 2)).tril().argmax(-1)
    before = torch.arange(stream.shape[1]) - 1
    assert (where == before)[batch.tokens != model.PAD].float().mean() > 0.5


def test_a_deeper_model_begins_as_nearly_the_same_function() -> None:
    decoder = model.Decoder(model.Shape(layers=2))
    deeper = model.deepened(decoder, 1)
    text = torch.tensor([model.encode("47+38\n47+38=85")])
    with torch.no_grad():
        assert (decoder(text) - deeper(text)).abs().max() < 1.0
        torch.testing.assert_close(decoder.streams(text)[1], deeper.streams(text)[1])
