/** The head of the job page: is it alive, how far is it, is it getting better. */

import { reportOf } from "./api.js";
import { byId, el, setText, show } from "./dom.js";

/** The state in words; a wish that is not yet fulfilled is part of it. */
export function stateText(card) {
  return [card.state, card.wish].filter(Boolean).join(", ");
}

function decibels(value) {
  return value === null || value === undefined ? "–" : `${window.srq.num(value, 2)} dB`;
}

function signed(value) {
  return value === null || value === undefined ? "" : `${value >= 0 ? "+" : ""}${window.srq.num(value, 2)} dB`;
}

/** Name, value, and a quieter text below it, of each figure. */
function figures(card) {
  const { num, duration, ago } = window.srq;
  const place = [card.worker, card.host && card.worker?.includes(card.host) ? null : card.host].filter(Boolean).join(" on ");
  const found = [
    ["PSNR now", decibels(card.psnr), card.ssim ? `SSIM ${num(card.ssim, 4)}` : ""],
    ["PSNR best", decibels(card.best_psnr), card.gain === null ? "" : `${signed(card.gain)} over bicubic`],
    ["Bicubic", decibels(card.bicubic_psnr), ""],
  ];
  if (card.state === "running") {
    found.push(["Speed", card.it_s ? `${num(card.it_s, 1)} it/s` : "–", card.phase ?? ""], ["ETA", duration(card.eta_s), ""]);
    const told = window.srq.forecast(card);
    if (told !== "-") found.push(["Forecast", told, `as of iteration ${card.forecast.iteration.toLocaleString("en-GB")}`]);
  }
  const device = [place, card.device_speed && `measured ${card.device_speed}`].filter(Boolean).join("; ");
  found.push(["Device", card.device ?? "–", device]);
  found.push(["Attempt", card.attempts ? String(card.attempts) : "–", card.failures ? `${card.failures} failed in a row` : ""]);
  if (card.started) found.push(["Started", ago(card.started), ""]);
  if (card.finished) found.push(["Finished", ago(card.finished), card.started ? `after ${duration(card.finished - card.started)}` : ""]);
  if (!card.started) found.push(["Submitted", ago(card.created), ""]);
  return found;
}

function remark(card) {
  if (card.waits) {
    const begin = card.starts_in_s ? ` It may start in about ${window.srq.duration(card.starts_in_s)}.` : "";
    return `Waits: ${card.waits}.${begin}`.replace("..", ".");
  }
  if (card.state === "running") return card.message ?? "";
  return [card.reason, card.message].filter(Boolean).join(": ");
}

export function showHeader(card) {
  document.title = `${card.name} · ${stateText(card)} · Training`;
  setText(byId("job-name"), card.name);
  const subtitle = [card.preset, card.arch, card.dataset].filter(Boolean).join(" · ");
  setText(byId("job-subtitle"), `${card.short} · ${subtitle} · priority ${card.priority}`);
  const state = byId("job-state");
  setText(state, stateText(card));
  state.dataset.state = card.state;
  const share = Math.max(0, Math.min(1, card.share ?? 0));
  const bar = byId("job-progress");
  bar.setAttribute("aria-valuenow", (100 * share).toFixed(1));
  bar.dataset.state = card.state;
  bar.firstElementChild.style.width = `${100 * share}%`;
  const [done, total] = [card.iteration ?? 0, card.total ?? 0].map((n) => n.toLocaleString("en-GB"));
  setText(byId("job-iteration"), `iteration ${done} of ${total}`);
  setText(byId("job-share"), `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
  showFigures(figures(card));
  const text = remark(card);
  setText(byId("job-remark"), text);
  show(byId("job-remark"), text !== "");
  byId("job-remark").dataset.state = card.state;
  showLinks(card);
}

function showFigures(rows) {
  const list = byId("job-figures");
  if (list.children.length !== rows.length) {
    list.replaceChildren(...rows.map(() => el("div", {}, el("dt"), el("dd"), el("dd", { class: "quiet" }))));
  }
  rows.forEach((texts, at) => texts.forEach((text, place) => setText(list.children[at].children[place], text)));
}

function showLinks(card) {
  const links = (card.campaigns ?? []).map((name) =>
    el("a", { href: `${window.srq.base}/campaign/${encodeURIComponent(name)}` }, `campaign ${name}`),
  );
  if (card.has_report) links.push(el("a", { href: reportOf(card.id) }, "report"));
  const key = links.map((link) => link.href).join(" ");
  const place = byId("job-links");
  if (place.dataset.key === key) return; // a link that has the focus keeps it
  place.dataset.key = key;
  place.replaceChildren(...links);
}

