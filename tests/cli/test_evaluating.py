"""`evaluate`: variants, parts on their own, the tables as markdown."""

from tests.cli.conftest import Shell

SUITE = """\
seed: 3
parts:
  - &trial
    title: Trial
    task: q.jsonl
    limit: 4
    workflow: w.yaml
    strategies:
      - {name: vote, baseline: true}
      - name: picked
        set: {nodes.search.select: naive}
        variants:
          exact: {nodes.search.reward: {kind: calculator}}
          noisy: {nodes.search.reward: {kind: flipped, share: 0.5, reward: {kind: calculator}}}
  - {<<: *trial, title: Again}
"""


def test_variants_are_compared_and_written_as_markdown(shell: Shell) -> None:
    shell.workflow()
    shell.questions(4)
    shell.write("suite.yaml", SUITE)
    ran = shell("evaluate", "suite.yaml", "--out", "out", "--part", "2", "--markdown", "tables.md", "--json")
    assert ran.code == 0, ran.err
    (part,) = ran.json()["parts"]
    assert part["title"] == "Again"
    assert [each["name"] for each in part["strategies"]] == ["vote", "picked, exact", "picked, noisy"]
    assert [each["reward_kind"] for each in part["strategies"]] == ["none", "tool", "tool"]
    assert [each["second"] for each in part["comparisons"]] == ["vote", "vote"]
    text = (shell.folder / "tables.md").read_text()
    assert text.startswith("### Again\n")
    assert "| strategy | alone | exact | noisy |" in text
    assert "Points gained on vote:" in text


UNJUDGED = """\
parts:
  - title: Trial
    task: q.jsonl
    limit: 2
    workflow: w.yaml
    strategies:
      - {name: vote, baseline: true}
      - name: picked
        set: {nodes.search.select: naive, nodes.search.reward: {kind: judge, model: m}}
"""


def test_lost_judgements_stand_beside_the_tables_and_where_all_are_lost_there_is_a_warning(shell: Shell) -> None:
    shell.workflow()  # its model answers, and gives no marks
    shell.questions(2)
    shell.write("suite.yaml", UNJUDGED)
    ran = shell("evaluate", "suite.yaml", "--out", "out", "--markdown", "tables.md")
    loud = "picked: ALL 8 JUDGEMENTS WERE LOST (the reward judge)"
    assert (ran.code, ran.err.count(f"branchwise: warning: {loud}")) == (0, 1)
    assert f"Note, {loud}" in ran.out
    assert f"- Note, {loud}" in (shell.folder / "tables.md").read_text()


AT_EQUAL_TOKENS = """\
seed: 3
parts:
  - title: Trial
    task: q.jsonl
    limit: 8
    workflow: w.yaml
    equal_tokens: true
    strategies:
      - name: vote
        baseline: true
        samples: {2: {nodes.search.algorithm.n: 2}, 6: {nodes.search.algorithm.n: 6}}
      - {name: other, set: {nodes.search.algorithm.n: 4, nodes.search.policy.temperature: 0.5}}
"""


def test_a_baseline_is_matched_by_tokens(shell: Shell) -> None:
    shell.workflow()
    shell.questions(8)
    shell.write("suite.yaml", AT_EQUAL_TOKENS)
    ran = shell("evaluate", "suite.yaml", "--out", "out", "--markdown", "tables.md", "--json")
    assert ran.code == 0, ran.err
    (compared,) = ran.json()["parts"][0]["comparisons"]
    assert (compared["second"], compared["other"]) == ("vote N=2", "vote N=6")
    assert 0.2 < compared["share"] < 0.8
    assert 0.5 < compared["tokens"] < 2
    text = (shell.folder / "tables.md").read_text()
    assert "| vote N=2 |" in text
    assert "Points gained on vote:" in text


def test_tables_that_can_t_be_written_are_refused(shell: Shell) -> None:
    shell.workflow()
    shell.questions(4)
    shell.write("suite.yaml", SUITE)
    ran = shell("evaluate", "suite.yaml", "--out", "out", "--part", "1", "--markdown", "no/tables.md", "--json")
    ran.refused("--markdown", "no/tables.md")
    shell("evaluate", "suite.yaml", "--out", "out", "--part", "3").refused("no part")
