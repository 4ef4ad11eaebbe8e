/* The list of jobs: cards of what runs, who waits and why, what ended; or what the filter asks for. */
(function () {
  "use strict";
  var srq = window.srq, el = srq.el;
  var STATES = ["running", "queued", "held", "paused", "succeeded", "failed", "cancelled"];
  var SIZES = [50, 200, 1000, 5000];
  var place = function (id) { return document.getElementById(id); };
  var asked = read();
  var turn = 0, took = 0;
  var reading = 0; // questions without an answer so far

  function read() {
    var query = new URLSearchParams(location.search);
    return {
      state: (query.get("state") || "").split(",").filter(function (s) { return STATES.includes(s); }),
      q: query.get("q") || "", campaign: query.get("campaign") || "",
      page: Math.max(1, parseInt(query.get("page"), 10) || 1),
      size: SIZES.includes(Number(query.get("size"))) ? Number(query.get("size")) : SIZES[0]
    };
  }

  function narrowed() { return asked.state.length > 0 || asked.q !== "" || asked.campaign !== ""; }

  function query(values) {
    var kept = Object.entries(values).filter(function (e) { return e[1] !== "" && e[1] !== null; });
    return new URLSearchParams(kept).toString();
  }

  function remember() {
    var text = query({
      state: asked.state.join(","), q: asked.q, campaign: asked.campaign, page: asked.page > 1 ? asked.page : "",
      size: asked.size !== SIZES[0] ? asked.size : ""
    });
    history.replaceState(null, "", location.pathname + (text ? "?" + text : ""));
  }

  /** Reads what is shown; the answer to an older question is not shown over a newer one. */
  async function load() {
    var mine = ++turn, begun = Date.now();
    reading += 1;
    try {
      var main = {campaign: asked.campaign, q: asked.q, page: asked.page, size: asked.size};
      main.state = narrowed() ? asked.state.join(",") : "paused,succeeded,failed,cancelled";
      var parts = [srq.get("jobs?" + query(main))];
      if (!narrowed()) {
        parts.push(srq.get("jobs?state=running&size=60"), srq.get("jobs?state=queued,held&order=next&size=20"));
      }
      var found = await Promise.all(parts);
      if (mine !== turn) { return; }
      show(found);
      srq.note(null);
      took = Date.now() - begun;
    } catch (error) {
      if (mine === turn) { srq.note(error); }
    } finally {
      reading -= 1;
    }
  }

  function show(found) {
    var main = found[0], counts = (found[1] || main).counts;
    chips(counts);
    var all = Object.values(counts).reduce(function (a, b) { return a + b; }, 0);
    place("srq-state").textContent = srq.count(all) + (all === 1 ? " job, " : " jobs, ") +
      main.workers + (main.workers === 1 ? " worker is up" : " workers are up");
    place("srq-overview").hidden = narrowed();
    place("srq-jobs-title").textContent = narrowed() ? "Found" : "Paused and ended";
    if (!narrowed()) {
      running(found[1]);
      waiting(found[2]);
    }
    var columns = narrowed()
      ? ["name", "state", "what", "done", "psnr", "waits", "starts", "why", "created"]
      : ["name", "state", "what", "psnr", "ssim", "done", "took", "ended", "why", "report"];
    fill("srq-jobs", srq.table(columns, main.jobs, {
      empty: narrowed() ? "no such jobs" : "nothing has ended yet", caption: place("srq-jobs-title").textContent
    }));
    pages(main);
  }

  /** Puts a new content in; who stood on a link or button of the old one stands on the same in the new. */
  function fill(id, content) {
    var inside = place(id), on = inside.contains(document.activeElement) ? document.activeElement : null;
    var key = on && [on.tagName, on.getAttribute("href"), on.textContent].join("|");
    inside.replaceChildren(content);
    if (key) {
      var same = Array.from(inside.querySelectorAll("a, button, select")).find(function (e) {
        return [e.tagName, e.getAttribute("href"), e.textContent].join("|") === key;
      });
      if (same) { same.focus({preventScroll: true}); }
    }
  }

  function chips(counts) {
    var made = STATES.map(function (state) {
      var on = asked.state.includes(state);
      return el("button", {
        type: "button", class: "srq-chip srq-" + state, "aria-pressed": on ? "true" : "false",
        on: {click: function () {
          asked.state = on ? asked.state.filter(function (s) { return s !== state; }) : asked.state.concat(state);
          change();
        }}
      }, [state, " ", el("span", {class: "srq-count", text: srq.count(counts[state] || 0)})]);
    });
    if (narrowed()) {
      made.push(el("button", {type: "button", class: "srq-chip", text: "show all", on: {click: function () {
        asked = {state: [], q: "", campaign: "", page: 1, size: asked.size};
        place("srq-q").value = "";
        place("srq-campaign").value = "";
        change();
      }}}));
    }
    var inner = el("div", {class: "srq-chip-row"}, made);
    fill("srq-states", inner);
  }

  function running(found) {
    var inner = found.jobs.map(function (j) {
      var facts = [
        ["Speed", j.it_s === null ? "-" : srq.num(j.it_s, 1) + " it/s"], ["ETA", srq.duration(j.eta_s)],
        ["Forecast", srq.forecast(j)],
        ["PSNR now", j.psnr === null ? "-" : srq.num(j.psnr, 2) + " dB"], ["Best", srq.psnr(j)],
        ["Bicubic", j.bicubic_psnr === null ? "-" : srq.num(j.bicubic_psnr, 2) + " dB"],
        ["On", [j.device, j.worker].filter(Boolean).join(", ") || "-"], ["Attempt", String(j.attempts)]
      ];
      return el("article", {class: "srq-card", "data-job": j.id, "aria-label": j.name}, [
        el("header", {class: "srq-card-head"}, [
          el("h3", {}, [srq.jobLink(j.id, j.name)]), srq.badge(j)
        ]),
        el("p", {class: "srq-muted", text: [j.preset, j.arch, j.dataset, j.phase].filter(Boolean).join(" · ")}),
        srq.bar(j),
        el("p", {class: "srq-small", text: Math.floor(100 * j.share) + " %, iteration " + srq.count(j.iteration) +
          " of " + srq.count(j.total)}),
        el("dl", {class: "srq-facts"}, facts.map(function (f) {
          return el("div", {}, [el("dt", {text: f[0]}), el("dd", {text: f[1]})]);
        }))
      ]);
    });
    if (found.total > found.jobs.length) {
      inner.push(el("p", {class: "srq-muted", text: (found.total - found.jobs.length) + " more run: choose “running” above"}));
    }
    if (!inner.length) { inner.push(el("p", {class: "srq-muted", text: "nothing runs"})); }
    var shelf = document.createDocumentFragment();
    inner.forEach(function (e) { shelf.append(e); });
    fill("srq-running", shelf);
    if (found.jobs.length) {
      srq.announce(found.jobs.slice(0, 3).map(function (j) {
        return j.name + " " + Math.floor(100 * j.share) + " percent";
      }).join(", "));
    }
  }

  function waiting(found) {
    var shelf = document.createDocumentFragment();
    shelf.append(srq.table(["name", "state", "what", "priority", "waits", "starts"], found.jobs, {
      empty: "nothing waits", caption: "Waiting jobs, the next one first"
    }));
    if (found.total > found.jobs.length) {
      shelf.append(el("p", {class: "srq-muted", text: srq.count(found.total - found.jobs.length) +
        " more wait: choose “queued” above"}));
    }
    fill("srq-waiting", shelf);
  }

  function pages(found) {
    var go = function (page) { return function () { asked.page = page; change(true); }; };
    var from = (found.page - 1) * asked.size + 1, to = from + found.jobs.length - 1;
    var text = found.total ? srq.count(from) + " to " + srq.count(to) + " of " +
      srq.count(found.total) + (found.more ? ", and more that were not looked at: type more of the name" : "") : "";
    if (found.total && !found.jobs.length) { text = "this page is empty; there are " + found.pages; }
    var select = el("select", {id: "srq-size", on: {change: function (event) {
      asked.size = Number(event.target.value);
      change();
    }}}, SIZES.map(function (s) {
      return el("option", {value: s, selected: s === asked.size, text: srq.count(s) + " a page"});
    }));
    var shelf = document.createDocumentFragment();
    [
      el("button", {type: "button", class: "btn btn-outline-secondary btn-sm", text: "Newer", disabled: found.page <= 1,
        on: {click: go(Math.min(found.page - 1, found.pages))}}),
      el("span", {class: "srq-muted", text: text}),
      el("button", {type: "button", class: "btn btn-outline-secondary btn-sm", text: "Older",
        disabled: found.page >= found.pages, on: {click: go(found.page + 1)}}),
      el("label", {for: "srq-size", class: "visually-hidden", text: "Jobs of a page"}), select
    ].forEach(function (e) { shelf.append(e); });
    if (document.activeElement !== place("srq-size")) { fill("srq-pages", shelf); }
  }

  function change(samePage) {
    if (!samePage) { asked.page = 1; }
    var link = place("srq-campaign-link");
    link.hidden = !asked.campaign;
    link.href = srq.base + "/campaign/" + encodeURIComponent(asked.campaign);
    remember();
    load();
  }

  async function campaigns() {
    try {
      var found = await srq.get("campaigns");
      var select = place("srq-campaign"), names = found.campaigns.map(function (c) { return c.name; });
      if (asked.campaign && !names.includes(asked.campaign)) { names.push(asked.campaign); }
      select.replaceChildren(el("option", {value: "", text: "All campaigns"}));
      names.forEach(function (name) {
        var known = found.campaigns.find(function (c) { return c.name === name; });
        select.append(el("option", {
          value: name, selected: name === asked.campaign,
          text: name + (known ? " (" + srq.count(known.jobs) + ")" : "")
        }));
      });
    } catch (error) {
      srq.note(error);
    }
  }

  var typing = null;
  place("srq-q").value = asked.q;
  place("srq-q").addEventListener("input", function (event) {
    clearTimeout(typing);
    typing = setTimeout(function () { asked.q = event.target.value.trim(); change(); }, 250);
  });
  place("srq-campaign").addEventListener("change", function (event) { asked.campaign = event.target.value; change(); });
  place("srq-filter").addEventListener("submit", function (event) { event.preventDefault(); });

  // What changes each second is read every two; times of the past grow old without any change.
  // A long list is read less often: a fifth of the time at most.
  var last = 0, due = null;
  function soon() {
    if (due || document.hidden) { return; }
    var next = last + Math.max(2000, 5 * took);
    due = setTimeout(function () {
      due = null;
      if (reading) { soon(); return; } // else no answer that takes longer than two seconds would ever be shown
      last = Date.now();
      load();
    }, Math.max(reading ? 200 : 0, next - Date.now()));
  }
  change(true);
  campaigns();
  srq.stream({list: 1}, {
    list: soon, poll: soon,
    note: function (told) { srq.note(told); if (!told.error) { soon(); campaigns(); } }
  });
  setInterval(soon, 15000);
  document.addEventListener("visibilitychange", soon);
}());
