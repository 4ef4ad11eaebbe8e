/** Elements out of text: nothing that comes from a job is ever parsed as HTML. */

/** An element; `on` holds functions by event, attributes that are null or false are left out. */
export function el(tag, attributes = {}, ...children) {
  return window.srq.el(tag, attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

/** Writes a text only where it changed: screen readers and selections are left alone. */
export function setText(node, text) {
  const shown = text ?? "";
  if (node.textContent !== shown) node.textContent = shown;
}

/** Shows or hides. */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** A table row of texts or nodes. */
export function row(cells, tag = "td") {
  return el("tr", {}, ...cells.map((cell) => el(tag, tag === "th" ? { scope: "col" } : {}, cell ?? "–")));
}
