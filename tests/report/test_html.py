"""The page as text: what stands in it, what can't stand in it, and that the library is the one we checked."""

import base64
import hashlib
import json
import re
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from branchwise.orchestrator.report.data import Report
from branchwise.orchestrator.report.html import LIBRARY, SCRIPTS, asset, render, script
from tests.report.sample import ATTACKS, hostile, realistic

URL = re.compile(r"(?:https?:|wss?:|ftp:)?//[\w.-]+\.\w+[\w./-]*")
# Comments and XML namespaces in the library: names, never fetched (the browser test watches the network).
NAMES_IN_THE_LIBRARY = {
    "http://www.apache.org/licenses/LICENSE-2.0",
    "http://www.w3.org/1999/xlink",
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/2000/xmlns/",
    "http://www.w3.org/XML/1998/namespace",
    "https://github.com/ecomfe/zrender/blob/master/LICENSE",
}


class Outline(HTMLParser):
    """Tags with their attributes, and the text inside each script and style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.contents: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.tags[-1] if self.tags else ("", {})
        if tag in ("script", "style") and data.strip():
            self.contents.append((tag, attributes, data))


@cache
def page(name: str) -> str:
    return render({"realistic": realistic, "hostile": hostile}[name]())


def embedded(html: str) -> str:
    found = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_library_is_the_one_whose_hash_is_written_down() -> None:
    expected, name = asset("echarts.sha256").split()
    assert name == LIBRARY
    assert hashlib.sha256(asset(LIBRARY).encode()).hexdigest() == expected


def test_the_library_brings_its_licence() -> None:
    licence = asset("echarts.LICENSE.txt")
    assert "Apache License" in licence
    assert "d3" in licence
    assert "Licensed to the Apache Software Foundation" in asset(LIBRARY)[:200]


@pytest.mark.parametrize("name", ["realistic", "hostile"])
def test_the_structure_is_the_same_whatever_the_data_says(name: str) -> None:
    tags = [tag for tag, _ in Outline(page(name)).tags]
    assert tags == [
        "html", "head", "meta", "meta", "meta", "meta", "meta", "title", "style",
        "body", "header", "noscript", "p", "main", "footer", "script", "script", "script",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["realistic", "hostile"])
def test_data_cannot_end_its_element(name: str) -> None:
    data = embedded(page(name))
    assert not set(data) & set("<>&\u2028\u2029\x00")
    assert Report.model_validate_json(data) == {"realistic": realistic, "hostile": hostile}[name]()


def test_data_is_not_taken_for_a_place_to_fill() -> None:
    texts = json.loads(embedded(page("hostile")))
    assert any("@@POLICY@@ @@DATA@@" in problem["question"] for problem in texts["problems"])


def test_lone_surrogates_become_writable() -> None:
    assert any("\ud800" in attack for attack in ATTACKS)
    page("hostile").encode("utf-8")


def test_the_policy_allows_exactly_what_is_in_the_page() -> None:
    outline = Outline(page("hostile"))
    (policy,) = [a["content"] for tag, a in outline.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert "require-trusted-types-for" in rules
    assert not {"connect-src", "img-src", "frame-src"} & rules.keys()  # so default-src 'none' holds for them
    assert "unsafe" not in policy
    found: dict[str, set[str]] = {"script": set(), "style": set()}
    for tag, attributes, text in outline.contents:
        if attributes.get("type") != "application/json":
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            found[tag].add(f"'sha256-{digest}'")
    assert set(rules["script-src"].split()) == found["script"]
    assert set(rules["style-src"].split()) == found["style"]
    assert (len(found["script"]), len(found["style"])) == (2, 1)


def test_no_address_stands_in_the_page_but_names_in_the_library() -> None:
    own = page("realistic").replace(asset(LIBRARY), "")
    assert set(URL.findall(own)) - {"//html"} == set()
    assert set(re.findall(r"https?://[\w./-]+", asset(LIBRARY))) == NAMES_IN_THE_LIBRARY
    assert not re.search(r"<(?:img|link|iframe|object|embed|base|form)\b|@import|url\(|\bsrc=|\bhref=", own)


def test_our_scripts_never_turn_text_into_markup_or_code() -> None:
    ways = (
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|DOMParser|srcdoc|fetch\(|XMLHttp"
    )
    uses = [line for line in script().splitlines() if re.search(ways, line) and not line.lstrip().startswith("//")]
    assert uses == []
    assert 'renderMode: "richText"' in script()


def test_every_script_of_ours_is_used() -> None:
    folder = files("branchwise.orchestrator.report") / "assets"
    assert {entry.name for entry in folder.iterdir() if entry.name.endswith(".js")} == {LIBRARY, *SCRIPTS}


def test_the_page_stays_small() -> None:
    fixed = len(page("realistic")) - len(embedded(page("realistic")))
    assert fixed < 1_250_000
