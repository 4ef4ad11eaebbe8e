/** The job's events, newest first, of all kinds or of one. */

import { api } from "./api.js";
import { byId, el, row, setText } from "./dom.js";

const MOST_ROWS = 500;

export class EventTable {
  constructor(id) {
    this.id = id;
    this.position = "";
    this.events = [];
    byId("event-kind").addEventListener("change", () => this.draw());
  }

  async refresh() {
    const answer = await api.events(this.id, this.position);
    this.position = answer.position ?? this.position;
    if (!answer.events.length) return;
    this.events.push(...answer.events);
    this.draw();
  }

  draw() {
    const select = byId("event-kind");
    const kinds = [...new Set(this.events.map((event) => event.kind))].sort();
    const offered = [...select.options].slice(1).map((option) => option.value);
    for (const kind of kinds.filter((name) => !offered.includes(name))) select.append(el("option", { value: kind }, kind));
    const fitting = this.events.filter((event) => !select.value || event.kind === select.value).reverse();
    const rows = fitting.slice(0, MOST_ROWS).map((event) => {
      const time = new Date(1000 * event.t);
      const when = el("time", { datetime: time.toISOString(), title: time.toLocaleString() }, time.toLocaleTimeString("en-GB"));
      return row([when, String(event.token), event.it.toLocaleString("en-GB"), el("span", { class: "kind" }, event.kind), event.text]);
    });
    byId("event-rows").replaceChildren(...rows);
    const left = fitting.length - rows.length;
    setText(byId("event-count"), left > 0 ? `the newest ${rows.length} of ${fitting.length}` : `${fitting.length} events`);
  }
}
