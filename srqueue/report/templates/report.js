"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  // Okabe and Ito's colours: they stay apart for colour-blind eyes.
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f"];
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  const SYMBOLS = {action: "triangle-down", restart: "diamond", warning: "x", error: "x", checkpoint: "line-ns-open"};
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const many = data.jobs.length > 1;
  // plotly reads a little HTML in its texts: ours has none.
  const plain = text => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const wrapped = text => plain(text).replace(/(.{70}\S*)\s/g, "$1<br>");
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  function axis() { return document.querySelector("input[name=axis]:checked").value; }

  function traces(plot, over) {
    const names = new Set(plot.lines.filter(l => !l.base).map(l => l.name));
    const width = Math.max(0, ...plot.lines.flatMap(l => l.base ? [] : l[over]));
    const seen = {};
    const found = [];
    for (const line of plot.lines) {
      const colour = COLOURS[(line.base ? 7 : many ? line.job : [...names].indexOf(line.name)) % COLOURS.length];
      const what = line.name.replace("losses/", "").replace(/^val\/.*/, "model");
      const name = many && !line.base ? plain(data.jobs[line.job]) + (names.size > 1 ? " · " + plain(what) : "") : plain(what);
      // One point is no line.
      const mode = line.values.length > 1 ? "lines" : "markers";
      let x = line[over], y = line.values;
      if (line.base && width > 0) { x = [0, width]; y = [y.at(-1), y.at(-1)]; }  // beside all that is compared with it
      const nth = line.base ? 1 : seen[line.job] = (seen[line.job] ?? -1) + 1;
      found.push({x, y, name, mode: line.base && x.length > 1 ? "lines" : mode, type: "scatter",
        line: {color: colour, width: line.base ? 1.5 : 2, dash: line.base ? "dash" : many ? DASHES[nth % 4] : "solid"},
        marker: {color: colour, size: 7},
        hovertemplate: "%{y:.6~g}" + (plot.unit ? " " + plain(plot.unit) : "") + "<extra>" + name + "</extra>"});
    }
    if (document.getElementById("with-marks").checked) found.push(...marks(over));
    return found;
  }

  function marks(over) {
    const found = [];
    data.marks.forEach((all, job) => {
      for (const [low, title] of [[true, "checkpoints"], [false, "events"]]) {
        const some = all.filter(m => (m.kind === "checkpoint") === low);
        if (!some.length) continue;
        found.push({x: some.map(m => m[over]), y: some.map(() => low ? 0.02 : 0.96), yaxis: "y2", type: "scatter", mode: "markers",
          name: title, showlegend: false, cliponaxis: false,
          marker: {symbol: some.map(m => SYMBOLS[m.kind] ?? "circle"), size: low ? 7 : 9, opacity: low ? .55 : .95,
            color: some.map(m => m.kind === "error" || m.kind === "warning" ? "#d55e00" : many ? COLOURS[job % COLOURS.length] : "#7f7f7f")},
          hovertemplate: some.map(m => (many ? plain(data.jobs[job]) + "<br>" : "") + plain(m.kind) + " at " + m.it + ": " + wrapped(m.text) + "<extra></extra>")});
      }
    });
    return found;
  }

  // A curve that is flat gets room of its own size, not of one.
  function range(plot) {
    const values = plot.lines.flatMap(l => l.values).filter(v => v !== null);
    const least = Math.min(...values), most = Math.max(...values);
    return values.length && least === most && most > 0 && !plot.logarithmic ? {range: [0, 1.2 * most]} : {};
  }

  function layout(plot, over) {
    const style = getComputedStyle(document.body);
    const line = style.getPropertyValue("--line"), text = style.getPropertyValue("--text");
    return {
      title: {text: plain(plot.title) + (plot.unit ? " (" + plain(plot.unit) + ")" : ""), font: {size: 15}, x: 0.02, xanchor: "left"},
      margin: {l: 62, r: 18, t: 44, b: 54}, height: 340, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: {color: text.trim(), family: style.fontFamily, size: 12}, hovermode: "closest",
      xaxis: {title: {text: over === "it" ? "iterations" : "hours of training"}, gridcolor: line.trim(), zeroline: false, rangemode: "tozero"},
      yaxis: {...range(plot), gridcolor: line.trim(), zeroline: false, type: plot.logarithmic ? "log" : "linear", automargin: true, exponentformat: "power"},
      yaxis2: {overlaying: "y", range: [0, 1], visible: false, fixedrange: true},
      modebar: {bgcolor: "rgba(0,0,0,0)", color: style.getPropertyValue("--soft").trim(), activecolor: style.getPropertyValue("--accent").trim()},
      legend: {orientation: "h", y: -0.26, yanchor: "top", font: {size: 11}},
      showlegend: plot.lines.length > 1,
    };
  }

  function draw() {
    const over = axis();
    data.plots.forEach((plot, index) => {
      const place = document.getElementById("plot-" + index);
      Plotly.react(place, traces(plot, over), layout(plot, over), {responsive: true, displaylogo: false,
        modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]]});
    });
  }

  function wipe(crop) {
    const choices = ["bicubic", "model", "original"];
    const newest = crop.model.length - 1;
    let left = "bicubic", right = "model", at = newest, share = 0.5;
    const under = make("img", {alt: "", draggable: "false"}), over = make("img", {alt: "", draggable: "false"});
    const edge = make("span", {class: "edge"}), tagLeft = make("span", {class: "tag left"}), tagRight = make("span", {class: "tag right"});
    const box = make("div", {class: "wipe"}, under, over, edge, tagLeft, tagRight);
    const slider = make("input", {type: "range", min: 0, max: 100, value: 50, "aria-label": "how much of the left picture"});
    const steps = make("input", {type: "range", min: 0, max: newest, value: newest, "aria-label": "iteration of the model's picture"});
    const told = make("span");
    const choose = (label, value, take) => {
      const select = make("select", {"aria-label": label}, ...choices.map(c => make("option", {value: c}, c)));
      select.value = value;
      select.addEventListener("change", () => { take(select.value); show(); });
      return select;
    };
    const source = what => what === "model" ? crop.model[at] : crop[what];
    const title = what => what === "model" ? "model, iteration " + crop.iterations[at] : what;
    function show() {
      under.src = source(right); over.src = source(left);
      under.alt = title(right); over.alt = title(left);
      over.style.clipPath = `inset(0 ${(1 - share) * 100}% 0 0)`;
      edge.style.left = share * 100 + "%";
      tagLeft.textContent = title(left); tagRight.textContent = title(right);
      told.textContent = "iteration " + crop.iterations[at];
      steps.setAttribute("aria-valuetext", told.textContent);
      slider.value = Math.round(share * 100);
    }
    const follow = event => {
      const place = box.getBoundingClientRect();
      share = Math.min(1, Math.max(0, (event.clientX - place.left) / place.width));
      show();
    };
    box.addEventListener("pointerdown", event => { box.setPointerCapture(event.pointerId); follow(event); });
    box.addEventListener("pointermove", event => { if (event.buttons) follow(event); });
    slider.addEventListener("input", () => { share = slider.value / 100; show(); });
    steps.addEventListener("input", () => { at = Number(steps.value); show(); });
    const controls = make("div", {class: "controls"},
      make("span", {}, "beside"), make("span", {class: "two"}, choose("left picture", left, v => left = v), "|", choose("right picture", right, v => right = v)),
      make("span", {}, "wipe"), slider);
    if (newest > 0) controls.append(told, steps);
    show();
    return make("figure", {class: "crop"}, make("figcaption", {}, crop.name), box, controls);
  }

  const gallery = document.getElementById("pictures");
  data.pictures.forEach((crops, job) => {
    if (!crops.length) return;
    gallery.hidden = false;
    if (many) gallery.append(make("h3", {}, data.jobs[job]));
    gallery.append(make("div", {class: "crops"}, ...crops.map(wipe)));
  });
  const plots = document.getElementById("plots");
  data.plots.forEach((plot, index) => plots.append(make("div", {class: "plot", id: "plot-" + index, role: "img", "aria-label": plot.title})));
  if (!data.plots.length) plots.append(make("p", {}, "There are no figures yet."));
  const fronts = document.getElementById("fronts");
  data.fronts.forEach((front, index) => fronts.append(make("div", {class: "plot", id: "front-" + index, role: "img", "aria-label": front.title + ", " + front.on})));
  function weigh() {
    data.fronts.forEach((front, index) => {
      const style = getComputedStyle(document.body), line = style.getPropertyValue("--line").trim();
      const base = layout({title: front.title, unit: "", lines: []}, "it");
      const some = wanted => front.points.filter(p => p.front === wanted);
      const trace = (points, name, symbol, mode) => ({x: points.map(p => p.cost), y: points.map(p => p.quality), name, mode, type: "scatter",
        error_y: {type: "data", array: points.map(p => p.sd), visible: true, thickness: 1},
        line: {shape: "hv", color: COLOURS[0], width: 1.5}, marker: {size: 10, symbol, color: COLOURS[mode === "markers" ? 1 : 0]},
        text: points.map(p => plain(p.name)), hovertemplate: "%{text}<br>%{y:.6~g} dB at %{x:.4~g}<extra></extra>"});
      Plotly.react(document.getElementById("front-" + index),
        [trace(some(true), "on the front", "circle", "lines+markers"), trace(some(false), "beaten", "circle-open", "markers")],
        {...base, title: {...base.title, font: {size: 13}, text: plain(front.title) + "<br>" + plain(front.on)}, showlegend: true, yaxis: {gridcolor: line, zeroline: false, automargin: true, title: {text: "PSNR (dB)"}},
          xaxis: {gridcolor: line, zeroline: false, title: {text: plain(front.cost)}, rangemode: "tozero"}},
        {responsive: true, displaylogo: false});
    });
  }
  document.getElementById("axis").addEventListener("change", draw);
  dark.addEventListener("change", () => { draw(); weigh(); });
  draw();
  weigh();
})();
