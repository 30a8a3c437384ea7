// The head of the page: what was run, when, with which models, and what qualifies the numbers.

function header(report) {
  const seeds = [...new Set(report.strategies.map((one) => one.seed).filter((seed) => seed !== null))];
  const versions = Object.entries(report.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  const rows = [
    ["Task", report.task],
    ["When", report.created],
    ["Seed", seeds.join(", ")],
    [
      "Versions",
      [report.branchwise_version && `branchwise ${report.branchwise_version}`, versions]
        .filter(Boolean)
        .join(", "),
    ],
    ["Command", report.command],
  ].filter(([, value]) => value);
  const facts = el(
    "dl",
    { class: "facts" },
    rows.map(([name, value]) => [el("dt", { text: name }), el("dd", {}, foreign(String(value)))]),
  );
  for (const model of models(report))
    facts.append(el("dt", { text: spaced(model.roles.join(", ")) }), el("dd", {}, modelText(model)));
  document.title = report.title;
  return [el("h1", {}, foreign(report.title)), facts, notices(report)];
}

function models(report) {
  const seen = new Map();
  for (const model of report.strategies.flatMap((one) => one.models)) seen.set(JSON.stringify(model), model);
  return [...seen.values()];
}

function modelText(model) {
  const facts = Object.entries(model.facts).map(([name, value]) => `${spaced(name)} ${value}`);
  return [
    foreign(model.name),
    facts.length ? el("span", { class: "muted" }, " · ", foreign(facts.join(" · "))) : null,
  ].filter(Boolean);
}

function notices(report) {
  const own = report.notes.map((text) => [null, text]);
  const byText = new Map();
  for (const one of report.strategies)
    for (const text of one.notes) byText.set(text, [...(byText.get(text) || []), one.name]);
  const oracles = report.strategies.filter((one) => one.reward_kind === "oracle").map((one) => one.name);
  if (oracles.length)
    own.push([
      oracles.join(", "),
      "An oracle reward saw the answer key. Read this accuracy as an upper bound, not as a result.",
    ]);
  const all = [...own, ...[...byText].map(([text, names]) => [names.join(", "), text])];
  if (!all.length) return null;
  const items = all.map(([names, text]) =>
    el("li", {}, names ? el("strong", {}, foreign(`${names}: `)) : null, foreign(text)),
  );
  return el("aside", { class: "note", "aria-label": "What qualifies these numbers" }, el("ul", {}, items));
}
