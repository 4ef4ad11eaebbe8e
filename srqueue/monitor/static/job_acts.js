/** What can be done with a job: a button an act, each asked for once more in a dialog. */

import { api, pageOf, told } from "./api.js";
import { byId, el, setText, show } from "./dom.js";

const ACTS = {
  pause: { label: "Pause", text: "It saves a checkpoint and frees its device. Resumed, it goes on exactly from there." },
  resume: { label: "Resume", text: "It is queued and goes on from its newest checkpoint." },
  cancel: { label: "Cancel", text: "It ends. A training that has a checkpoint exports its best weights.", danger: true },
  retry: { label: "Retry", text: "It is queued again and goes on from its newest checkpoint." },
  upgrade: { label: "Upgrade", text: "A longer training of the same data and network, begun from this job's model.", field: "preset" },
  extend: { label: "Extend", text: "More iterations, exactly from where this job stopped, as a new job.", field: "iterations" },
  priority: { label: "Priority", text: "0 to 9; the highest goes first.", field: "priority" },
};
const PRESETS = ["convenience", "fidelity", "max-fidelity", "tuned"];

function field(kind, card) {
  if (kind === "preset") {
    const options = PRESETS.map((name) => el("option", { value: name, selected: name === "fidelity" }, name));
    return ["Preset", el("select", { id: "act-field", class: "form-select" }, ...options)];
  }
  const number = (value, min, max) =>
    el("input", { id: "act-field", class: "form-control", type: "number", required: true, step: 1, min, max, value });
  if (kind === "priority") return ["Priority", number(card.priority, 0, 9)];
  return ["Iterations more", number(Math.max(1, Math.round((card.total ?? 1000) / 4)), 1, 100000000)];
}

/** The buttons of one job page. `refresh` is called after an act, `announce` with what came of it. */
export class Acts {
  constructor(id, { refresh, announce }) {
    this.id = id;
    this.refresh = refresh;
    this.announce = announce;
    this.dialog = byId("act-dialog");
    this.form = byId("act-form");
    byId("act-no").addEventListener("click", () => this.dialog.close());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
  }

  update({ job, acts, may_act: may, why_not: why }) {
    this.card = job;
    const possible = may ? acts.filter((act) => act in ACTS) : [];
    const place = byId("job-acts");
    const key = possible.join(" ");
    if (place.dataset.key !== key) {
      place.dataset.key = key;
      place.replaceChildren(...possible.map((act) => this.button(act)));
    }
    setText(byId("acts-why-not"), may ? "" : why ?? "Acts are not allowed here.");
    show(byId("acts-why-not"), !may);
  }

  button(act) {
    const kind = ACTS[act].danger ? "btn-outline-danger" : "btn-outline-secondary";
    return el("button", { type: "button", class: `btn btn-sm ${kind}`, "data-act": act, on: { click: () => this.ask(act) } }, `${ACTS[act].label}…`);
  }

  ask(act) {
    this.act = act;
    const { label, text, danger, field: kind } = ACTS[act];
    setText(byId("act-title"), `${label} ${this.card.name}?`);
    setText(byId("act-text"), text);
    setText(byId("act-error"), "");
    const place = byId("act-fields");
    place.replaceChildren();
    if (kind) {
      const [name, input] = field(kind, this.card);
      place.append(el("label", { for: "act-field", class: "form-label" }, name), input);
    }
    const yes = byId("act-yes");
    setText(yes, label);
    yes.className = `btn ${danger ? "btn-danger" : "btn-primary"}`;
    this.dialog.showModal();
  }

  async run() {
    const kind = ACTS[this.act].field;
    const input = byId("act-field");
    const body = kind ? { [kind]: kind === "preset" ? input.value : Number(input.value) } : {};
    const yes = byId("act-yes");
    yes.disabled = true;
    try {
      const answer = await api.act(this.id, this.act, body);
      this.dialog.close();
      this.announce([answer.text, ...(answer.notes ?? [])].join(". "), answer.new ? pageOf(answer.job.id) : null);
      await this.refresh();
    } catch (error) {
      setText(byId("act-error"), told(error)); // the dialog stays: it says why not
    } finally {
      yes.disabled = false;
    }
  }
}
