// How problems ended, what was lost, and what the page's words mean.

function endings(report) {
  const groups = [
    ["Why problems stopped", "stops", STOPS],
    ["Problems lost at", "failed", BOUNDARIES],
    ["Candidates lost at", "candidates_lost", BOUNDARIES],
  ];
  const columns = groups.flatMap(([title, field, words]) => {
    const names = [
      ...new Set(
        report.strategies.flatMap((one) => Object.keys(one[field]).filter((name) => one[field][name])),
      ),
    ];
    const most = Math.max(1, ...report.strategies.flatMap((one) => Object.values(one[field])));
    return names.map((name, i) => ({
      group: i ? "" : title,
      span: names.length,
      field,
      name,
      most,
      title: spaced(name),
      hint: words[name],
      class: i ? "num" : "num first",
    }));
  });
  const rows = report.strategies.map((one) => ({
    cells: [
      foreign(one.name),
      ...columns.map(({ field, name, most }) => shaded(one[field][name] || 0, most)),
    ],
  }));
  const shown = table([{ title: "Strategy", class: "name", rowHead: true }, ...columns], rows, {
    class: "matrix",
    label: "How problems ended",
  });
  const heads = columns
    .filter((column) => column.group)
    .map((column) =>
      el("th", { colSpan: column.span, scope: "colgroup", class: "first", text: column.group }),
    );
  shown.querySelector("thead").prepend(el("tr", {}, el("td"), heads));
  return section(
    "endings",
    "How problems ended, and what was lost",
    shown,
    el("p", {
      class: "caption",
      text: "A lost problem was not graded. A lost candidate is one branch of a problem whose siblings went on.",
    }),
    meanings(columns),
  );
}

function meanings(columns) {
  const known = new Map(columns.filter((column) => column.hint).map((column) => [column.title, column.hint]));
  const terms = [...known].map(([title, hint]) => [el("dt", { text: title }), el("dd", { text: hint })]);
  return el(
    "details",
    {},
    el("summary", { text: "What these words mean" }),
    el("dl", { class: "facts" }, terms),
  );
}

function shaded(count, most) {
  const cell = el("span", { class: count ? "shade" : "shade none", text: count ? whole(count) : "0" });
  cell.style.setProperty("--share", String(Math.sqrt(count / Math.max(most, 1))));
  return cell;
}

function glossary() {
  const terms = [
    [
      "accuracy",
      "right ÷ graded. Problems that were lost or ran out of budget are not graded; a red line says what the accuracy is if all of them count as wrong.",
    ],
    [
      "95 % interval",
      "Wilson's score interval: what a repetition with other problems of the same kind could well have given. Overlap of two intervals decides nothing: use the paired table.",
    ],
    [
      "drawn tokens",
      "tokens generated for the strategy by all roles, whether the call was made in this run or found in the journal. This is the price of the method, the same in every repetition unless a note above says otherwise. A ≈ says that some were estimated.",
    ],
    [
      "read tokens",
      "prompt tokens of the same calls. A step search sends a growing prompt again and again, so it reads more than it draws; servers that cache prefixes compute most of it once.",
    ],
    [
      "paid tokens",
      "prompt and generated tokens of the calls really made in this run. A draw that the journal already held is drawn again, but not paid again.",
    ],
    [
      "policy, verifier, …",
      "roles: the policy writes the steps, a verifier (reward model, judge) reads and scores them. Equal compute means equal tokens of all roles.",
    ],
    ...Object.entries(REWARDS)
      .filter(([kind]) => kind !== "none")
      .map(([kind, text]) => [`${kind} reward`, text]),
    [
      "failed by boundary",
      "a problem or candidate that was lost because something outside broke: a model, a sandbox, a task's world, a reward, or text that could not be read. It is counted, never dropped.",
    ],
  ];
  return section(
    "words",
    "What the words mean",
    el(
      "dl",
      { class: "words" },
      terms.map(([term, text]) => [el("dt", { text: term }), el("dd", { text })]),
    ),
  );
}
