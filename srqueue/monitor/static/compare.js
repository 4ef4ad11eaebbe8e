/** The page that compares jobs: their curves in the same plots, their figures in one table. */

import { api, pageOf, told } from "./api.js";
import { Compared, label } from "./compared.js";
import { Curves } from "./curves.js";
import { byId, el, row, show } from "./dom.js";
import { one } from "./job_finder.js";
import { paced } from "./live.js";
import { showDiff } from "./spec_table.js";

const LOOK_MS = 4000;
const MOST = 50; // jobs that an address may name
const OVER = ["succeeded", "failed", "cancelled", "paused"];

const curves = new Curves(byId("plots"));
const compared = new Compared(curves, { changed });
const cards = new Map();
const missing = []; // of the jobs that the address names, in words

/** The address names the jobs, so that it can be sent to somebody. */
function changed(ids) {
  const address = new URL(location.href);
  address.searchParams.set("jobs", ids.join(","));
  history.replaceState(null, "", address);
  offerDiff();
  look();
}

function table() {
  const { num, duration } = window.srq;
  const decibels = (value) => (value === null || value === undefined ? "–" : num(value, 2));
  const rows = compared.ids.map((id) => cards.get(id)).filter(Boolean).map((card) =>
    row([
      el("a", { href: pageOf(card.id) }, label(card)), card.state, card.preset, card.arch, card.dataset,
      decibels(card.best_psnr), decibels(card.bicubic_psnr), card.ssim ? num(card.ssim, 4) : "–",
      `${card.iteration.toLocaleString("en-GB")} of ${card.total.toLocaleString("en-GB")}`,
      card.it_s ? num(card.it_s, 1) : "–", card.eta_s ? duration(card.eta_s) : "–",
    ]),
  );
  byId("compare-rows").replaceChildren(...rows);
  show(byId("compare-table"), rows.length > 0);
}

function offerDiff() {
  for (const id of ["diff-a", "diff-b"]) {
    const select = byId(id);
    const before = select.value;
    select.replaceChildren(...curves.sources.map((source) => el("option", { value: source.id }, source.name)));
    const second = id === "diff-b" ? compared.ids[1] : compared.ids[0];
    select.value = compared.ids.includes(before) ? before : second ?? "";
  }
  show(byId("diff"), compared.ids.length > 1);
}

const look = paced(500, async () => {
  const asked = compared.ids.filter((id) => !OVER.includes(cards.get(id)?.state));
  const answers = await Promise.allSettled(asked.map((id) => api.job(id)));
  answers.forEach((answer, at) => answer.status === "fulfilled" && cards.set(asked[at], answer.value.job));
  table();
  const failed = answers.find((answer) => answer.status === "rejected");
  try {
    await curves.refresh();
    window.srq.note(failed ? failed.reason : missing.length ? { error: missing.join("; ") } : null);
  } catch (error) {
    window.srq.note(error);
  }
});

async function begin() {
  const asked = (new URL(location.href).searchParams.get("jobs") ?? "").split(",").filter(Boolean);
  for (const name of asked.slice(0, MOST)) {
    try {
      const job = await one(name);
      cards.set(job.id, job);
      curves.add(job.id, label(job));
    } catch (error) {
      missing.push(told(error));
    }
  }
  compared.draw();
  offerDiff();
  await look();
  setInterval(() => document.hidden || look(), LOOK_MS);
}

byId("diff-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const [a, b] = [byId("diff-a"), byId("diff-b")];
  showDiff(a.value, b.value, [a, b].map((select) => select.selectedOptions[0].textContent));
});
begin();
