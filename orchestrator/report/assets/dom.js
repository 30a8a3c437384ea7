// Building the page. Text goes in through textContent alone: nothing here or elsewhere parses markup.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...present(children));
  return node;
}

const present = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined);

function clear(node, ...children) {
  node.replaceChildren(...present(children));
  return node;
}

function section(id, title, ...children) {
  return el(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title`, text: title }),
    ...children,
  );
}

function swatch(colour, hollow) {
  const node = el("span", { class: hollow ? "swatch hollow" : "swatch", "aria-hidden": "true" });
  node.style.setProperty("--colour", colour);
  return node;
}

// A text that somebody else wrote: kept apart from its surroundings, whatever its writing direction.
function foreign(text, limit) {
  const shown = limit && text.length > limit ? `${text.slice(0, limit)}…` : text;
  return el("bdi", { class: "foreign", text: shown });
}

function table(columns, rows, options = {}) {
  const head = el(
    "tr",
    {},
    columns.map((column) => headCell(column, options)),
  );
  const body = rows.map((row) =>
    el(
      "tr",
      { class: row.class },
      row.cells.map((cell, i) => bodyCell(cell, columns[i])),
    ),
  );
  const node = el("table", { class: options.class }, el("thead", {}, head), el("tbody", {}, body));
  return el(
    "div",
    { class: "scroll", tabIndex: 0, role: "region", "aria-label": options.label || "table" },
    node,
  );
}

function headCell(column, options) {
  const sorted = options.sortedBy === column.key && column.key !== undefined;
  const direction = sorted ? (options.descending ? "descending" : "ascending") : undefined;
  const content = column.sort
    ? el("button", {
        class: "sort",
        type: "button",
        text: column.title,
        onclick: () => options.onsort(column.key),
      })
    : column.title;
  return el("th", { class: column.class, scope: "col", title: column.hint, "aria-sort": direction }, content);
}

function bodyCell(cell, column) {
  const content = cell === null || cell === undefined ? "–" : cell;
  const tag = column.rowHead ? "th" : "td";
  return el(tag, { class: column.class, scope: column.rowHead ? "row" : undefined }, content);
}
