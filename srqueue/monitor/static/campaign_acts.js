/** What can be done with a campaign: a button an act, each asked for once more in a dialog. */

import { told } from "./api.js";
import { byId, el, setText, show } from "./dom.js";

const ACTS = {
  pause: { label: "Pause", text: "No cell begins any more. Those that run save a checkpoint and pause; resumed, they go on exactly." },
  resume: { label: "Resume", text: "Its cells begin again, and those that were paused with it go on from their checkpoints." },
  cancel: { label: "Cancel", text: "It ends. Cells that have a checkpoint export their best weights.", danger: true },
  retry: { label: "Retry", text: "Failed and cancelled cells go on from their newest checkpoints." },
};

export class CampaignActs {
  constructor(name) {
    this.name = name;
    this.dialog = byId("act-dialog");
    byId("act-no").addEventListener("click", () => this.dialog.close());
    byId("act-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
  }

  update(acts, may, why) {
    const possible = may ? acts : [];
    const place = byId("campaign-acts");
    const key = possible.join(" ");
    if (place.dataset.key !== key) {
      place.dataset.key = key;
      place.replaceChildren(...possible.map((act) => this.button(act)));
    }
    setText(byId("campaign-why-not"), may ? "" : why ?? "Acts are not allowed here.");
    show(byId("campaign-why-not"), !may);
  }

  button(act) {
    const kind = ACTS[act].danger ? "btn-outline-danger" : "btn-outline-secondary";
    return el("button", { type: "button", class: `btn btn-sm ${kind}`, "data-act": act, on: { click: () => this.ask(act) } }, `${ACTS[act].label}…`);
  }

  ask(act) {
    this.act = act;
    setText(byId("act-title"), `${ACTS[act].label} campaign ${this.name}?`);
    setText(byId("act-text"), ACTS[act].text);
    setText(byId("act-error"), "");
    const yes = byId("act-yes");
    setText(yes, ACTS[act].label);
    yes.className = `btn ${ACTS[act].danger ? "btn-danger" : "btn-primary"}`;
    this.dialog.showModal();
  }

  async run() {
    const yes = byId("act-yes");
    yes.disabled = true;
    try {
      const answer = await window.srq.post(`campaign/${encodeURIComponent(this.name)}/${this.act}`, {});
      this.dialog.close();
      setText(byId("campaign-said"), answer.text);
      document.dispatchEvent(new CustomEvent("srq-campaign-acted"));
    } catch (error) {
      setText(byId("act-error"), told(error)); // the dialog stays: it says why not
    } finally {
      yes.disabled = false;
    }
  }
}
