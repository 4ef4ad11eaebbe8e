/** All plots of one job, or of several beside each other, with their controls. */

import { CurveSource } from "./curve_source.js";
import { byId, el, setText, show } from "./dom.js";
import { PANELS, lines, nameOf } from "./panels.js";
import { markLines } from "./marks.js";
import { Plot } from "./plot.js";
import { onThemeChange, theme } from "./theme.js";

const ALL = "all";

export class Curves {
  /** `marked`: the only job whose marks are drawn, null for all. */
  constructor(place, marked = null) {
    this.marked = marked;
    this.sources = [];
    this.view = { x: "it", smoothing: 0.6, smoothAll: false, marks: { acts: true, restarts: true, checkpoints: true } };
    this.range = null; // of the x axis, shared by all plots
    this.panels = PANELS.map((panel) => this.build(panel, place));
    this.controls();
    onThemeChange(() => this.draw());
    document.addEventListener("visibilitychange", () => document.hidden || this.draw());
  }

  build(panel, place) {
    const metric = el("select", { class: "form-select form-select-sm", "aria-label": `Figure of ${panel.title}`, on: { change: () => this.draw() } });
    const log = panel.log
      ? el("input", { type: "checkbox", class: "form-check-input", id: `log-${panel.key}`, on: { change: () => this.draw() } })
      : null;
    const logLabel = log ? el("label", { class: "form-check-label", for: log.id }, log, " log scale") : null;
    const node = el("div", { id: `plot-${panel.key}`, class: "plot", role: "img" });
    const card = el(
      "section", { class: `job-card plot-card plot-card-${panel.key}`, "aria-labelledby": `title-${panel.key}`, hidden: true },
      el("div", { class: "plot-head" }, el("h3", { id: `title-${panel.key}` }, panel.title), metric, logLabel),
      node,
    );
    (byId(`place-${panel.key}`) ?? place).append(card);
    return { ...panel, metric, log, node, card, plot: new Plot(node, (range) => this.zoom(range)) };
  }

  controls() {
    for (const input of document.querySelectorAll("input[name=curve-x]")) {
      input.addEventListener("change", () => {
        this.view.x = input.value;
        this.range = null;
        this.draw();
      });
    }
    const slider = byId("curve-smoothing");
    const weight = () => {
      this.view.smoothing = Number(slider.value);
      setText(byId("curve-smoothing-value"), Number(slider.value).toFixed(2));
    };
    weight();
    slider.addEventListener("input", () => {
      weight();
      this.draw();
    });
    byId("smooth-all").addEventListener("change", (event) => {
      this.view.smoothAll = event.target.checked;
      this.draw();
    });
    for (const kind of Object.keys(this.view.marks)) {
      const box = byId(`marks-${kind}`);
      this.view.marks[kind] = box.checked;
      box.addEventListener("change", () => {
        this.view.marks[kind] = box.checked;
        this.draw();
      });
    }
  }

  zoom(range) {
    this.range = range;
    this.draw();
  }

  add(id, name) {
    if (!this.sources.some((source) => source.id === id)) this.sources.push(new CurveSource(id, name));
  }

  remove(id) {
    this.sources = this.sources.filter((source) => source.id !== id);
    this.draw();
  }

  /** Fetches what is new of one job, or of all, and draws where there was something. */
  async refresh(id = null) {
    const asked = this.sources.filter((source) => id === null || source.id === id);
    const answers = await Promise.allSettled(asked.map((source) => source.refresh()));
    if (answers.some((answer) => answer.value)) this.draw();
    const failed = answers.find((answer) => answer.status === "rejected");
    if (failed) throw failed.reason;
  }

  draw() {
    if (document.hidden || !window.Plotly) return;
    const metrics = new Set(this.sources.flatMap((source) => Object.keys(source.curves)));
    show(byId("curves-none"), metrics.size === 0);
    const offered = this.panels.map((panel) => [panel, panel.fits(metrics)]);
    // All cards take their places before the first plot asks how wide it is.
    for (const [panel, fitting] of offered) show(panel.card, fitting.length > 0);
    for (const [panel, fitting] of offered) if (fitting.length) this.drawOne(panel, fitting);
  }

  drawOne(panel, fitting) {
    choices(panel, fitting, this.sources.length);
    const chosen = panel.metric.value === ALL ? fitting : [panel.metric.value];
    const colours = theme();
    const several = this.sources.length > 1;
    const drawn = lines(panel, this.sources, chosen, this.view, colours.lines);
    const told = this.sources.filter((source) => this.marked === null || source.id === this.marked);
    const marks = markLines(told.flatMap((source) => source.marks), this.view, colours.marks);
    const unit = this.sources.map((source) => source.curves[chosen[0]]?.unit).find(Boolean) ?? "";
    const x = this.view.x === "it" ? "iteration" : "trained hours";
    panel.node.setAttribute("aria-label", summary(this.sources, chosen));
    // The chips tell jobs apart; a legend in each small plot would only say it again.
    const legend = new Set(drawn.filter((line) => line.showlegend !== false).map((line) => line.name)).size > 1 && (!several || panel.key === "psnr");
    const range = this.range ?? whole(this.sources, this.view.x);
    panel.plot.draw([...marks, ...drawn], { x, unit, log: Boolean(panel.log?.checked), range, legend });
  }
}

/** From the start to the newest point of any job: all plots have the same x axis. */
function whole(sources, x) {
  const ends = sources.flatMap((source) => Object.values(source.curves).map((curve) => curve[x].at(-1) ?? 0));
  return [0, 1.015 * Math.max(...ends)];
}

/** The figures that a plot offers; `all` only where one job is shown, or the lines could not be told apart. */
function choices(panel, fitting, jobs) {
  const offered = panel.all && jobs === 1 && fitting.length > 1 ? [ALL, ...fitting] : fitting;
  const select = panel.metric;
  if ([...select.options].map((option) => option.value).join(" ") !== offered.join(" ")) {
    const before = select.value;
    select.replaceChildren(...offered.map((key) => el("option", { value: key }, key === ALL ? "all" : nameOf(key))));
    select.value = offered.includes(before) ? before : offered[0];
  }
  show(select, offered.length > 1);
}

/** What the plot shows, for who cannot see it. */
function summary(sources, metrics) {
  const parts = sources.flatMap((source) =>
    metrics.map((metric) => {
      const curve = source.curves[metric];
      if (!curve?.values.length) return null;
      const low = curve.values.reduce((a, b) => Math.min(a, b));
      const high = curve.values.reduce((a, b) => Math.max(a, b));
      const [newest, least, most] = [curve.values.at(-1), low, high].map((n) => Number(n.toPrecision(5)));
      return `${source.name}: ${nameOf(metric)} ${newest} ${curve.unit} at iteration ${curve.it.at(-1)}, lowest ${least}, highest ${most}`;
    }),
  );
  return parts.filter(Boolean).join("; ");
}
