/* One campaign: its matrix, and a leaderboard that is sorted by any column. */
(function () {
  "use strict";
  var srq = window.srq, el = srq.el;
  var place = function (id) { return document.getElementById(id); };
  var name = place("srq-campaign-page").dataset.campaign;
  var by = "psnr", down = true, known = null;

  async function load() {
    try {
      known = await srq.get("campaign/" + encodeURIComponent(name));
      srq.note(null);
      show();
    } catch (error) {
      srq.note(error);
    }
  }

  function show() {
    var told = Object.entries(known.counts).filter(function (c) { return c[1]; })
      .map(function (c) { return srq.count(c[1]) + " " + c[0]; });
    place("srq-counts").textContent = [told.join(", "), known.note].filter(Boolean).join("; ");
    place("srq-matrix").replaceChildren(matrix());
    srq.campaign = known;
    document.dispatchEvent(new CustomEvent("srq-campaign"));
    leaders();
    var best = known.leaderboard.slice(0, 5).map(function (j) { return j.id; });
    place("srq-compare").href = srq.base + "/compare?jobs=" + best.map(encodeURIComponent).join(",");
    place("srq-compare").hidden = best.length < 2;
  }

  function matrix() {
    var cells = new Map(known.cells.map(function (c) { return [c.row + "\n" + c.column, c]; }));
    var most = Math.max.apply(null, known.cells.map(function (c) { return c.psnr === null ? -Infinity : c.psnr; }));
    var head = el("tr", {}, [el("th", {scope: "col", text: "Preset · data set"})].concat(known.columns.map(function (c) {
      return el("th", {scope: "col", text: c});
    })));
    var rows = known.rows.map(function (row) {
      return el("tr", {}, [el("th", {scope: "row", text: row})].concat(known.columns.map(function (column) {
        var cell = cells.get(row + "\n" + column);
        if (!cell) { return el("td", {class: "srq-muted", text: "-"}); }
        var best = cell.psnr !== null && cell.psnr === most;
        return el("td", {class: "srq-cell" + (best ? " srq-best" : "")}, [
          srq.jobLink(cell.id, cell.psnr === null ? "no PSNR yet" : srq.num(cell.psnr, 2) + " dB"),
          el("br"), el("span", {class: "srq-badge srq-" + cell.state, text: cell.state}),
          el("span", {class: "srq-small", text: (best ? " best" : "") + (cell.jobs > 1 ? " of " + cell.jobs + " jobs" : "")})
        ]);
      })));
    });
    return el("table", {class: "srq-matrix"}, [
      el("caption", {class: "visually-hidden", text: "Best PSNR and state by preset, data set and network"}),
      el("thead", {}, [head]), el("tbody", {}, rows)
    ]);
  }

  function leaders() {
    place("srq-leaders").replaceChildren(srq.table(
      ["name", "state", "what", "psnr", "ssim", "done", "took", "ended", "report"], known.leaderboard,
      {empty: "no jobs", caption: "Leaderboard", sort: {by: by, down: down, on: function (newBy, newDown) {
        by = newBy;
        down = newDown;
        leaders();
        place("srq-leaders").querySelector("[data-by='" + by + "']").focus();
      }}}
    ));
  }

  var last = 0, due = null;
  function soon() {
    if (due || document.hidden) { return; }
    due = setTimeout(function () { due = null; last = Date.now(); load(); }, Math.max(0, last + 5000 - Date.now()));
  }
  document.addEventListener("srq-campaign-acted", load);
  load();
  srq.stream({list: 1}, {
    list: soon, poll: soon, note: function (told) { srq.note(told); if (!told.error) { soon(); } }
  });
}());
