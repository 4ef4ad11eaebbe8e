/** What happened beside the curves: acts of automations, checkpoints, restarts, warnings. */

import { text } from "./panels.js";

const KINDS = [
  { kind: "action", name: "act", shown: "acts", symbol: "triangle-down" },
  { kind: "restart", name: "restart", shown: "restarts", symbol: "diamond" },
  { kind: "warning", name: "warning", shown: "acts", symbol: "x" },
  { kind: "error", name: "error", shown: "acts", symbol: "x" },
  { kind: "checkpoint", name: "checkpoint", shown: "checkpoints", symbol: "line-ns-open" },
];

/** Lines for a plot whose second y axis goes from 0 to 1; checkpoints, of which there are many, are short. */
export function markLines(marks, view, colours) {
  return KINDS.filter(({ shown }) => view.marks[shown]).flatMap(({ kind, name, symbol }) => {
    const found = marks.filter((mark) => mark.kind === kind);
    if (!found.length) return [];
    const top = kind === "checkpoint" ? 0.05 : 1;
    const at = found.map((mark) => mark[view.x]);
    const shared = { yaxis: "y2", showlegend: false, meta: kind };
    return [
      {
        ...shared, x: at.flatMap((x) => [x, x, null]), y: at.flatMap(() => [0, top, null]), mode: "lines",
        hoverinfo: "skip", line: { color: colours[kind], width: 1, dash: kind === "checkpoint" ? "solid" : "dot" },
      },
      {
        ...shared, x: at, y: at.map(() => (kind === "checkpoint" ? 0.025 : 0.985)), mode: "markers", name,
        marker: { symbol, size: kind === "checkpoint" ? 3 : 9, color: colours[kind] },
        text: found.map((mark) => wrapped(mark.text)), hovertemplate: "%{text}",
      },
    ];
  });
}

function wrapped(raw, width = 60) {
  const lines = [""];
  for (const word of String(raw).slice(0, 300).split(/\s+/)) {
    if ((lines.at(-1) + word).length > width && lines.at(-1)) lines.push("");
    lines[lines.length - 1] += `${word} `;
  }
  return lines.map((line) => text(line.trim())).join("<br>");
}
