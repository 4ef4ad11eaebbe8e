/** The verdict on a campaign from a file: leaderboards, Pareto plots, stages, why cells are held. */

import { pageOf } from "./api.js";
import { CampaignActs } from "./campaign_acts.js";
import { byId, el, row, setText, show } from "./dom.js";
import { text as escaped } from "./panels.js";
import { theme } from "./theme.js";

const acts = new CampaignActs(byId("srq-campaign-page").dataset.campaign);
const WAITING = ["held", "queued", "paused"];
const BAD = ["failed", "cancelled"];
const figure = (value, digits) => (value === null || value === undefined ? "–" : window.srq.num(value, digits));
const total = (jobs, states) => states.reduce((sum, state) => sum + jobs[state], 0);
let drawn = "";

function table(caption, heads, rows) {
  return el("div", { class: "srq-scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", { class: "table table-sm caption-top campaign-table" }, el("caption", {}, caption), el("thead", {}, row(heads, "th")), el("tbody", {}, ...rows)));
}

function spread(group) {
  const sd = group.sd === null ? "" : ` ± ${figure(group.sd, 3)}`;
  return group.psnr === null ? "–" : `${figure(group.psnr, 3)}${sd}`;
}

function against(group) {
  if (group.psnr !== null && !group.finished) return "not finished";
  return group.against ? `${figure(-group.against.difference, 3)} dB: ${group.against.why}` : "–";
}

function board(found) {
  const heads = ["Cells that differ in their seed", "Seeds", "PSNR (dB)", "Best", "Over bicubic", "Hours", "Parameters", "ms a megapixel", "Against the leader"];
  const rows = found.groups.map((group) => row([
    group.group, group.seeds, spread(group),
    group.best_job ? el("a", { href: pageOf(group.best_job) }, figure(group.best_psnr, 3)) : "–",
    figure(group.gain, 2), figure(group.hours, 2),
    group.parameters === null ? "–" : group.parameters.toLocaleString("en-GB"), figure(group.ms_per_megapixel, 2), against(group),
  ]));
  const more = found.more ? `, the first ${found.groups.length}; ${found.more} more are in the report` : "";
  return table(`Leaderboard on ${found.validated_on}${more}`, heads, rows);
}

function stages(found) {
  const rows = found.map(({ stage, cells, jobs, after }) =>
    row([stage, cells, jobs.succeeded, jobs.running, total(jobs, WAITING), total(jobs, BAD), after.join(", ") || "–"]));
  return table("Stages", ["Stage", "Cells", "Succeeded", "Running", "Waiting", "Failed", "After"], rows);
}

/** Plots are drawn anew only where a point moved: hovering is left alone. */
function fronts(boards) {
  const plots = boards.flatMap((found) => found.fronts.map((front) => ({ ...front, on: found.validated_on }))).filter((front) => front.points.length > 1);
  const key = JSON.stringify([plots, theme().text]);
  if (key === drawn || !window.Plotly) return;
  drawn = key;
  byId("campaign-fronts").replaceChildren(...plots.map((plot) =>
    el("div", { class: "campaign-front", role: "img", "aria-label": `PSNR against ${plot.cost}, ${plot.on}` })));
  plots.forEach((plot, at) => draw(byId("campaign-fronts").children[at], plot));
}

function draw(node, plot) {
  const colours = theme();
  const line = (front, name, symbol, mode) => {
    const points = plot.points.filter((point) => point.front === front);
    return { x: points.map((p) => p.cost), y: points.map((p) => p.psnr), name, mode, type: "scatter", line: { shape: "hv" },
      error_y: { type: "data", array: points.map((p) => p.sd ?? 0), visible: true, thickness: 1 }, marker: { size: 10, symbol },
      text: points.map((p) => escaped(p.group)), hovertemplate: "%{text}<br>%{y:.5~g} dB at %{x:.4~g}<extra></extra>" };
  };
  const axis = { gridcolor: colours.grid, zeroline: false, automargin: true };
  window.Plotly.newPlot(node, [line(true, "on the front", "circle", "lines+markers"), line(false, "beaten", "circle-open", "markers")], {
    height: 300, margin: { l: 8, r: 8, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colours.text, size: 12 }, legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    xaxis: { ...axis, title: { text: escaped(plot.cost) }, rangemode: "tozero" }, yaxis: { ...axis, title: { text: "PSNR (dB)" } },
  }, { displayModeBar: false, responsive: true });
}

function update() {
  const { file, may_act: may, why_not: why, report } = window.srq.campaign;
  show(byId("campaign-report"), Boolean(file && report));
  show(byId("campaign-file"), Boolean(file));
  show(byId("campaign-state"), Boolean(file));
  if (!file) return;
  setText(byId("campaign-state"), file.state);
  acts.update(file.acts, may, why);
  setText(byId("campaign-verdict"), [file.verdict, file.message].filter(Boolean).join(". "));
  byId("campaign-remarks").replaceChildren(...file.remarks.map((remark) => el("li", {}, remark)));
  byId("campaign-boards").replaceChildren(...file.boards.filter((found) => found.groups.some((g) => g.psnr !== null)).map(board));
  byId("campaign-stages").replaceChildren(stages(file.stages));
  const held = file.held.map(({ why: reason, cells }) => `held, ${cells} cell${cells === 1 ? "" : "s"}: ${reason}`);
  if (file.held_more) held.push(`held, ${file.held_more} more that were not looked at`);
  byId("campaign-held").replaceChildren(...held.map((text) => el("li", {}, text)));
  fronts(file.boards);
}

document.addEventListener("srq-campaign", update);
if (window.srq.campaign) update();
