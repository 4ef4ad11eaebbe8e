/** The spec with the origin of every value, and what differs between two. */

import { api, told } from "./api.js";
import { byId, el, row, setText, show } from "./dom.js";

function shown(value) {
  if (value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Every value of the spec with where it came from; the filter looks at all three columns. */
export class SpecTable {
  constructor() {
    this.rows = [];
    byId("spec-filter").addEventListener("input", () => this.filter());
  }

  update(spec) {
    const key = JSON.stringify(spec);
    if (key === this.key) return;
    this.key = key;
    const body = byId("spec-rows");
    this.rows = spec.map(([name, value, origin]) => row([el("code", {}, name), shown(value), origin]));
    body.replaceChildren(...this.rows);
    this.filter();
  }

  filter() {
    const words = byId("spec-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    let visible = 0;
    for (const line of this.rows) {
      const text = line.textContent.toLowerCase();
      line.hidden = !words.every((word) => text.includes(word));
      visible += line.hidden ? 0 : 1;
    }
    setText(byId("spec-count"), `${visible} of ${this.rows.length} values`);
  }
}

/** What differs between two jobs' specs. */
export async function showDiff(a, b, names) {
  const table = byId("diff-table");
  try {
    const { rows } = await api.diff(a, b);
    byId("diff-head").replaceChildren(row(["value", ...names], "th"));
    byId("diff-rows").replaceChildren(...rows.map(([key, left, right]) => row([el("code", {}, key), shown(left), shown(right)])));
    show(table, rows.length > 0);
    setText(byId("diff-note"), rows.length ? `${rows.length} values differ.` : "Their specs are the same.");
  } catch (error) {
    show(table, false);
    setText(byId("diff-note"), told(error));
  }
}
