/** What became of each attempt, what explains the state, and what the trainers printed. */

import { api } from "./api.js";
import { byId, el, row, setText, show } from "./dom.js";

/** The last lines that the trainers printed; it stays at its end where it was at its end. */
export class LogTail {
  constructor(id) {
    this.id = id;
    this.node = byId("log-lines");
    byId("tab-log").addEventListener("shown.bs.tab", async () => {
      await this.refresh();
      this.node.scrollTop = this.node.scrollHeight;
    });
  }

  /** Asks only while it is seen: nobody reads 64 kB of a hidden log each second. */
  async refresh() {
    const { node } = this;
    if (!node.clientHeight) return;
    const { lines } = await api.log(this.id);
    const atEnd = node.scrollTop + node.clientHeight >= node.scrollHeight - 4;
    setText(node, lines.length ? lines.join("\n") : "Nothing has been printed yet.");
    if (atEnd) node.scrollTop = node.scrollHeight;
  }
}

export function showAttempts(attempts) {
  const { duration } = window.srq;
  const rows = attempts.map((one) => {
    const took = one.begun ? duration((one.ended ?? Date.now() / 1000) - one.begun) : "–";
    const begun = one.begun ? new Date(1000 * one.begun).toLocaleString("en-GB") : "–";
    const end = one.ended ? [one.reason, one.message !== one.reason && one.message].filter(Boolean).join(": ") : "runs";
    const cells = [one.token, one.worker, begun, took, one.from_iteration, one.iteration];
    return row([...cells.map((cell) => (cell ?? "–").toLocaleString("en-GB")), end]);
  });
  byId("attempt-rows").replaceChildren(...rows);
  show(byId("attempts-none"), rows.length === 0);
}

export function showExplanation(lines) {
  const list = byId("explain-lines");
  if (list.dataset.key === lines.join("\n")) return;
  list.dataset.key = lines.join("\n");
  list.replaceChildren(...lines.map((line) => el("li", {}, line)));
}
