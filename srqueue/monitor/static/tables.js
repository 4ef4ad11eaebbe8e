/* Tables of jobs: srq.table(columns, jobs, options), columns by name; headers sort where options.sort is given. */
(function () {
  "use strict";
  var srq = window.srq, el = srq.el;

  function job(id, text) {
    return el("a", {href: srq.base + "/job/" + encodeURIComponent(id), text: text});
  }

  function bar(j) {
    var percent = Math.round(100 * j.share);
    var outer = el("div", {
      class: "srq-bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent,
      "aria-label": "Progress of " + j.name, "aria-valuetext": percent + " %, iteration " + j.iteration + " of " + j.total
    }, [el("div", {class: "srq-bar-done"})]);
    outer.firstChild.style.width = (100 * j.share) + "%";
    return outer;
  }

  function why(j) {
    var text = j.reason && j.reason !== j.state ? j.reason : "";
    var message = j.message && j.message !== text ? j.message : "";
    return [text, message].filter(Boolean).join(": ") || "-";
  }

  function starts(j) {
    if (j.starts_in_s === null) { return "-"; }
    return j.starts_in_s < 5 ? "now" : "in about " + srq.duration(j.starts_in_s);
  }

  // name: [heading, cell, what it is sorted by, class]
  var columns = {
    name: ["Job", function (j) {
      return el("span", {}, [job(j.id, j.name), " ", el("span", {class: "srq-muted srq-id", text: j.short})]);
    }, function (j) { return j.name; }],
    state: ["State", srq.badge, function (j) { return j.state; }],
    what: ["Training", function (j) {
      return [j.preset, j.arch, j.dataset].filter(Boolean).join(" · ") || "-";
    }, function (j) { return [j.preset, j.arch, j.dataset].join(" "); }],
    psnr: ["Best PSNR (gain)", srq.psnr, function (j) { return j.best_psnr; }, "srq-num"],
    ssim: ["SSIM", function (j) { return srq.num(j.ssim, 4); }, function (j) { return j.ssim; }, "srq-num"],
    done: ["Iterations", function (j) {
      return srq.count(j.iteration) + " / " + srq.count(j.total);
    }, function (j) { return j.iteration; }, "srq-num"],
    why: ["Why", why, why],
    waits: ["Waits", function (j) { return j.waits || "-"; }, function (j) { return j.waits; }],
    starts: ["Starts", starts, function (j) { return j.starts_in_s; }],
    priority: ["Priority", function (j) { return String(j.priority); }, function (j) { return j.priority; }, "srq-num"],
    ended: ["Ended", function (j) {
      return el("span", {text: srq.ago(j.finished), title: srq.when(j.finished)});
    }, function (j) { return j.finished; }],
    created: ["Submitted", function (j) {
      return el("span", {text: srq.ago(j.created), title: srq.when(j.created)});
    }, function (j) { return j.created; }],
    took: ["Wall time", function (j) {
      return j.started && j.finished ? srq.duration(j.finished - j.started) : "-";
    }, function (j) { return j.started && j.finished ? j.finished - j.started : null; }, "srq-num"],
    report: ["Report", function (j) {
      return j.has_report ? el("a", {
        href: srq.base + "/api/job/" + encodeURIComponent(j.id) + "/report", text: "report", "aria-label": "Report of " + j.name
      }) : el("span", {class: "srq-muted", text: "-"});
    }, function (j) { return j.has_report ? 1 : 0; }]
  };

  // Above so many rows each row is a grid of its own, which is laid out only where it is seen; columns are then as wide as here.
  var LONG = 200;
  var WIDTHS = {name: "minmax(0, 2fr)", state: "7.5rem", what: "minmax(0, 2fr)", waits: "minmax(0, 2fr)",
    why: "minmax(0, 2fr)", done: "minmax(0, 8rem)", psnr: "minmax(0, 8rem)", starts: "minmax(0, 8rem)", created: "minmax(0, 8rem)"};

  function cell(column, j) {
    var made = document.createElement("td");
    made.setAttribute("role", "cell");  // whatever CSS makes of the table
    if (column[3]) { made.className = column[3]; }
    made.dataset.label = column[0];
    made.append(column[1](j));
    return made;
  }

  function compare(a, b) {
    var none = function (v) { return v === null || v === undefined; };
    if (none(a) || none(b)) { return none(a) - none(b); }
    return typeof a === "number" ? a - b : String(a).localeCompare(String(b));
  }

  /** names: keys of columns. options: {empty: text, caption: text, sort: {by, down, on(by, down)}}. */
  function table(names, jobs, options) {
    if (!jobs.length) { return el("p", {class: "srq-muted", text: options.empty || "none"}); }
    var sort = options.sort;
    if (sort && columns[sort.by]) {
      var value = columns[sort.by][2];
      jobs = jobs.slice().sort(function (a, b) {
        var x = value(a), y = value(b), known = compare(x, y);
        // What is not known stays last, whichever way it is sorted.
        return x === null || y === null || x === undefined || y === undefined || !sort.down ? known : -known;
      });
    }
    var head = el("tr", {role: "row"}, names.map(function (name) {
      var c = columns[name], on = sort && sort.by === name;
      var inner = !sort ? document.createTextNode(c[0]) : el("button", {
        type: "button", class: "srq-sort", "data-by": name,
        on: {click: function () { sort.on(name, on ? !sort.down : ["psnr", "ssim", "done"].includes(name)); }}
      }, [c[0], el("span", {"aria-hidden": "true", text: on ? (sort.down ? " ▼" : " ▲") : ""})]);
      return el("th", {
        scope: "col", role: "columnheader", class: c[3], "aria-sort": on ? (sort.down ? "descending" : "ascending") : null
      }, [inner]);
    }));
    var body = el("tbody", {role: "rowgroup"});
    var rows = document.createDocumentFragment();
    jobs.forEach(function (j) {
      rows.append(el("tr", {"data-job": j.id, role: "row"}, names.map(function (name) {
        var c = columns[name];
        return cell(c, j);
      })));
    });
    body.append(rows);
    var long = jobs.length > LONG;
    var made = el("table", {
      class: "srq-table" + (sort ? " srq-sortable" : "") + (long ? " srq-long" : ""), role: "table"
    }, [
      el("caption", {class: "visually-hidden", text: options.caption || "Jobs"}),
      el("thead", {role: "rowgroup"}, [head]), body
    ]);
    if (long) {
      made.style.setProperty("--srq-columns", names.map(function (n) { return WIDTHS[n] || "minmax(0, 1fr)"; }).join(" "));
    }
    return made;
  }

  Object.assign(srq, {table: table, bar: bar, why: why, starts: starts, jobLink: job});
}());
