"""Placeholders: what a template must and may show, dollar signs, and that each kind declares what it fills in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from branchwise.agents.asking import PROMPTS
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.options import Options, Parts, module_of
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.roles import Pair, View
from branchwise.orchestrator.plugins import Role, kinds
from branchwise.orchestrator.workflow import spec
from tests.laws.toy import ROOT
from tests.rewards.asking import no_model, solution
from tests.speaking import Speaking, parts

ANSWER = Placeholders(("answer",), ("problem", "rubric"))


@pytest.mark.parametrize(
    "template",
    [
        "$answer",
        "${answer} of $problem",
        "$answer costs $5",
        r"$\frac{1}{2}$ $answer$",
        "$$x^2$$ $answer",
        "$answer $",
    ],
)
def test_templates_that_show_what_they_are_about(template: str) -> None:
    assert ANSWER.checked(template) == template


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "$anser",
            r"nothing fills in '\$anser'; did you mean '\$answer'\? \(there are: \$answer, \$problem, \$rubric\)",
        ),
        ("$Answer", r"nothing fills in '\$Answer'; did you mean '\$answer'"),
        ("$answer and $x^2$", r"nothing fills in '\$x' \(there are: .*for a dollar sign write \$\$"),
        ("$problem", r"lacks \$answer \(it may have: \$answer, \$problem, \$rubric\)"),
        ("$$answer", r"lacks \$answer"),
        ("", r"lacks \$answer"),
    ],
)
def test_templates_that_do_not(template: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ANSWER.checked(template)


TRAINED = ("outcome_model", "process_model", "implicit_prm")
"""Kinds whose models write nothing."""


MORE: dict[str, dict[str, Any]] = {
    "against_reference": {"judge": {"kind": "ab_prompt", "model": "m"}},
    "implicit_prm": {"reference": "other", "coefficient": 1.0, "reducer": "last"},
    "label_token": {"reducer": "last"},
    "process_model": {"reducer": "last", "step_tag": "<s>"},
}
"""What has to be said of some kinds besides their model."""


def options_of(role: Role, kind: str, **written: Any) -> Any:
    adapter: TypeAdapter[Options] = TypeAdapter(spec.Reward if role == "reward" else spec.Judge)
    return adapter.validate_python({"kind": kind, "model": "m", **MORE.get(kind, {}), **written})


def templated(*roles: Role) -> list[tuple[Role, str]]:
    """Every kind that has a template."""
    found = [(role, name, kind.module.Options) for role in roles for name, kind in kinds(role).items()]
    return [(role, name) for role, name, options in found if hasattr(options, "placeholders")]


@pytest.mark.parametrize(("role", "kind"), templated("reward", "judge"))
def test_each_kind_refuses_a_template_that_lacks_what_it_needs_or_has_what_it_does_not_know(
    role: Role, kind: str
) -> None:
    declared: Placeholders = options_of(role, kind).placeholders
    whole = " ".join(f"${name}" for name in declared.known)
    assert options_of(role, kind, prompt=whole).prompt == whole
    for needed in declared.needed:
        with pytest.raises(ValueError, match=rf"lacks \${needed}"):
            options_of(role, kind, prompt=whole.replace(f"${needed}", ""))
    with pytest.raises(ValueError, match=r"did you mean '\$problem'"):
        options_of(role, kind, prompt=f"{whole} $problme")


@pytest.mark.parametrize(("role", "kind"), templated("reward", "judge"))
def test_each_shipped_template_is_one(role: Role, kind: str) -> None:
    shipped = getattr(kinds(role)[kind].module, "PROMPT", None)
    declared: Placeholders = options_of(role, kind).placeholders
    assert shipped is None or declared.checked(shipped) == shipped


@pytest.mark.parametrize(("role", "kind"), [one for one in templated("reward", "judge") if one[1] not in TRAINED])
async def test_each_declared_name_is_filled_in(role: Role, kind: str) -> None:
    backend = Speaking(lambda prompt, seed: "")
    declared: Placeholders = options_of(role, kind).placeholders
    options = options_of(role, kind, prompt=" ".join(f"<${name}>" for name in declared.known))
    built = module_of(options).build(options, parts(backend))
    if role == "judge":
        await built.compare([Pair(Candidate(solution("a")), Candidate(solution("b")))])
    else:
        await built.score([solution("a")])
    assert backend.prompts
    assert not any("$" in prompt or "<>" in prompt for prompt in backend.prompts)


@pytest.mark.parametrize("kind", [kind for _, kind in templated("agent")])
def test_agents_show_the_problem_and_fill_in_what_they_declare(kind: str) -> None:
    module = kinds("agent")[kind].module
    declared: Placeholders = module.Options.placeholders
    shipped = (PROMPTS / f"{module.Options(model='m').prompt}.txt").read_text()
    assert declared.checked(shipped) == shipped
    whole = " ".join(f"<${name}>" for name in declared.known)
    agent = module.build(module.Options(model="m", prompt=whole), parts(Speaking(lambda prompt, seed: "")))
    view = View(ROOT, 0, draft="d", feedback="f", opening="o", actions=("a",))
    assert "$" not in repr(getattr(agent, "asking", agent).request(view))
    with pytest.raises(ValueError, match=r"lacks .*\$problem"):
        module.Options(model="m", prompt="Say\nsomething.")
    with pytest.raises(ValueError, match=r"did you mean '\$problem'"):
        module.Options(model="m", prompt="$problem $problme")


def test_a_template_in_a_file_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("Solve $problme")
    options: Options = kinds("agent")["solver"].module.Options(model="m", prompt="mine.txt")
    with pytest.raises(ConfigError, match=r"prompt 'mine.txt': nothing fills in '\$problme'"):
        module_of(options).build(options, Parts(no_model, lambda trajectory: None, directory=tmp_path))


def test_a_rubric_that_the_model_is_not_told_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not told the rubric: the prompt has no \$rubric"):
        options_of("reward", "judge", prompt="Mark $answer", rubric="Is it brief?")
    with pytest.raises(ValueError, match=r"not told the principle"):
        options_of("reward", "listwise", prompt="Rank $responses", principle="Brevity.")
    options_of("reward", "judge", prompt="Mark $answer by $rubric", rubric="Is it brief?")
