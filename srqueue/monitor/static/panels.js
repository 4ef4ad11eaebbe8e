/** Which figures stand in which plot, and the lines of a plot. */

import { smoothed } from "./smoothing.js";

const NAMES = {
  "val/psnr": "PSNR-Y", "val/psnr_rgb": "PSNR-RGB", "val/ssim": "SSIM-Y", loss: "loss", "train/loss": "mean",
  lr: "learning rate", it_s: "iterations a second", cpu: "CPU cores in use", rss_mib: "memory of the trainer",
  gpu_util: "GPU in use", gpu_mib: "GPU memory", gpu_watts: "GPU power", gpu_celsius: "GPU temperature",
};
const BICUBIC = { "val/psnr": "bicubic/psnr", "val/psnr_rgb": "bicubic/psnr_rgb", "val/ssim": "bicubic/ssim" };
const RESOURCES = ["cpu", "rss_mib", "gpu_util", "gpu_mib", "gpu_watts", "gpu_celsius"];

/**
 * `fits`: the metrics that it can show, in order; `all`: they may stand in one plot; `noisy`: they are smoothed;
 * `best`: its highest point bears a star.
 */
export const PANELS = [
  { key: "psnr", title: "PSNR", best: true, fits: (keys) => prefixed(keys, ["val/psnr", "val/psnr_rgb"], /^val\/.+\/psnr/) },
  { key: "ssim", title: "SSIM", fits: (keys) => prefixed(keys, ["val/ssim"], /^val\/.+\/ssim/) },
  { key: "loss", title: "Loss", noisy: true, all: true, log: true, fits: (keys) => prefixed(keys, ["loss"], /^losses\/|^train\/loss$/) },
  { key: "lr", title: "Learning rate", log: true, fits: (keys) => prefixed(keys, ["lr"]) },
  { key: "speed", title: "Speed", noisy: true, fits: (keys) => prefixed(keys, ["it_s"]) },
  { key: "resources", title: "Resources", noisy: true, fits: (keys) => prefixed(keys, RESOURCES) },
];

function prefixed(keys, first, pattern = /$^/) {
  return [...first.filter((key) => keys.has(key)), ...[...keys].filter((key) => pattern.test(key)).sort()];
}

export function nameOf(metric) {
  return NAMES[metric] ?? metric.replace(/^losses\//, "").replace(/^val\//, "");
}

/**
 * The lines of one plot.
 *
 * `runs`: [{name, colour, curves}]; `metrics`: those chosen; `view`: {x: "it" or "hours", smoothing, smoothAll}.
 * With one run each metric has a colour of its own, with several each run has.
 */
export function lines(panel, runs, metrics, view, colours) {
  const weight = panel.noisy || (view.smoothAll && panel.key !== "lr") ? view.smoothing : 0;
  const found = [];
  runs.forEach((run, place) => {
    metrics.forEach((metric, index) => {
      const curve = run.curves[metric];
      if (!curve?.values.length) return;
      const colour = runs.length > 1 ? colours[place % colours.length] : colours[index % colours.length];
      const name = runs.length > 1 ? run.name : nameOf(metric);
      found.push(...oneCurve(curve, name, colour, weight, view.x));
    });
    if (panel.best && metrics.length === 1) found.push(...best(run.curves[metrics[0]], run.name, view.x));
    const flat = metrics.length === 1 ? run.curves[BICUBIC[metrics[0]]] : null;
    if (flat?.values.length) found.push(bicubic(run, metrics[0], flat, view.x, runs.length > 1));
  });
  return withoutDoubles(found);
}

function oneCurve(curve, name, colour, weight, x) {
  const mode = curve.values.length < 3 ? "lines+markers" : "lines";
  const line = { x: curve[x], y: smoothed(curve.values, weight), name: text(name), mode, line: { color: colour, width: 2 }, meta: "value" };
  line.hovertemplate = "%{y:.5g}" + (curve.unit ? ` ${curve.unit}` : "");
  if (weight <= 0) return [line];
  const raw = { x: curve[x], y: curve.values, name: text(name), mode: "lines", meta: "raw", showlegend: false, hoverinfo: "skip" };
  return [{ ...raw, line: { color: colour, width: 1 }, opacity: 0.28 }, line];
}

function best(curve, name, x) {
  if (!curve || curve.values.length < 2) return [];
  const at = curve.values.reduce((most, value, index) => (value > curve.values[most] ? index : most), 0);
  const marker = { symbol: "star", size: 11, color: "#d9a400" };
  const hovertemplate = `best %{y:.5g} ${curve.unit}`;
  return [{ x: [curve[x][at]], y: [curve.values[at]], name: text(name), mode: "markers", marker, meta: "best", showlegend: false, hovertemplate }];
}

function bicubic(run, metric, flat, x, several) {
  const value = flat.values.at(-1);
  const end = run.curves[metric]?.[x].at(-1) ?? 0;
  const name = several ? `bicubic of ${run.name}` : "bicubic";
  return {
    x: [0, end], y: [value, value], name: text(name), mode: "lines", meta: "bicubic", level: value,
    line: { dash: "dash", width: 1.5, color: "#888888" }, hovertemplate: `%{y:.5g}${flat.unit ? ` ${flat.unit}` : ""}`,
  };
}

/** Jobs of the same data have the same bicubic figure: one line, as long as the longest, stands for all. */
function withoutDoubles(found) {
  const kept = [];
  for (const line of found) {
    const same = line.meta === "bicubic" && kept.find((other) => other.level !== undefined && Math.abs(other.level - line.level) < 1e-6);
    if (!same) kept.push(line);
    else {
      same.x = [0, Math.max(same.x[1], line.x[1])];
      same.name = "bicubic";
    }
  }
  return kept.map(({ level, ...line }) => line);
}

/** Plotly reads a small HTML of its own in names and hover texts: what comes from a job must not be read so. */
export function text(raw) {
  return String(raw).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
