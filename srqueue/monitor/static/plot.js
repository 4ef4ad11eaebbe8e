/** One plot of Plotly, which keeps the part that a person has zoomed into while new points arrive. */

import { theme } from "./theme.js";

const CONFIG = {
  // Drawn over the legend it would hide it: dragging zooms, a double click shows all again.
  displayModeBar: false, scrollZoom: false, doubleClick: "autosize",
};

export class Plot {
  /** `zoomed(range or null)` is called where the person changes the part of the x axis that is seen. */
  constructor(node, zoomed) {
    this.node = node;
    this.zoomed = zoomed;
    this.y = null; // what the person has zoomed into, null for all
    this.listening = false;
  }

  /** Draws anew. `axes`: {x: title, unit, log, range: of x, legend: whether there is one}. */
  async draw(lines, axes) {
    if (axes.log !== this.log) this.y = null; // a logarithmic axis counts in powers of ten
    this.log = axes.log;
    await window.Plotly.react(this.node, lines, this.layout(axes), CONFIG);
    if (this.listening) return;
    this.listening = true;
    new ResizeObserver(() => this.node.clientWidth && window.Plotly.Plots.resize(this.node)).observe(this.node);
    this.node.on("plotly_relayout", (change) => this.changed(change));
  }

  layout({ x, unit, log, range, legend }) {
    const colours = theme();
    const axis = { gridcolor: colours.grid, zeroline: false, linecolor: colours.grid, automargin: true };
    return {
      margin: { l: 8, r: 8, t: 8, b: 8 }, hovermode: "x unified", autosize: true, showlegend: legend,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colours.text, size: 12, family: getComputedStyle(document.body).fontFamily },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11 }, bgcolor: "rgba(0,0,0,0)" },
      hoverlabel: { bgcolor: colours.surface, bordercolor: colours.grid, font: { color: colours.text, size: 12 } },
      xaxis: { ...axis, title: { text: x, font: { size: 11 }, standoff: 4 }, ...seen(range) },
      yaxis: { ...axis, title: { text: unit, font: { size: 11 }, standoff: 4 }, type: log ? "log" : "linear", ...seen(this.y) },
      yaxis2: { overlaying: "y", range: [0, 1], fixedrange: true, visible: false },
    };
  }

  changed(change) {
    const y = part(change, "yaxis");
    if (y !== undefined) this.y = y;
    const x = part(change, "xaxis");
    if (x !== undefined) this.zoomed(x);
  }
}

function seen(range) {
  return range ? { range: [...range], autorange: false } : { autorange: true };
}

/** The new range of an axis, null where all of it is seen again, undefined where nothing changed. */
function part(change, axis) {
  if (change[`${axis}.autorange`]) return null;
  const [low, high] = change[`${axis}.range`] ?? [change[`${axis}.range[0]`], change[`${axis}.range[1]`]];
  return low === undefined || high === undefined ? undefined : [Number(low), Number(high)];
}
