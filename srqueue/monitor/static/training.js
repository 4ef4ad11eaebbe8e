/* What every Training page needs: the API, the stream, and how figures are written. No page needs more than a name of it:
   window.srq = {base, mayAct, whyNot, get, post, stream, esc, ago, duration, num, psnr, el, note, announce,
   badge, count, when, forecast}. */
(function () {
  "use strict";

  var root = document.getElementById("training");
  var base = root.dataset.base;
  // A page opened as http://user:password@host refuses relative addresses.
  var api = location.origin + base + "/api/";

  class ApiError extends Error {
    constructor(status, told) {
      super(told.error || "this did not work");
      this.status = status;
      this.hint = told.hint || null;
    }
  }

  async function ask(path, options) {
    var answer;
    try {
      answer = await fetch(api + path, Object.assign({credentials: "same-origin"}, options));
    } catch (error) {
      throw new ApiError(0, {error: "Flower does not answer", hint: "this page goes on when it is back"});
    }
    var told = {};
    try {
      told = await answer.json();
    } catch (error) {
      told = {error: "the answer cannot be read (" + answer.status + ")"};
    }
    if (!answer.ok) {
      throw new ApiError(answer.status, told);
    }
    return told;
  }

  /** JSON of a path below the API, such as "jobs?page=2". Throws ApiError {message, hint, status}. */
  function get(path) {
    return ask(path, {});
  }

  /** An act: body is JSON; the token of this page goes along. */
  function post(path, body) {
    var token = document.cookie.split("; ").find(function (c) { return c.startsWith("_xsrf="); });
    return ask(path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-XSRFToken": token ? decodeURIComponent(token.slice(6)).replace(/^"|"$/g, "") : ""
      },
      body: JSON.stringify(body || {})
    });
  }

  /** Calls handlers[event](data) for what changes; where streams break twice, handlers.poll() every 3 s instead.
      params: {job: id} or {list: 1}. Returns {close(), polling()}. A page that nobody sees has no stream: a browser
      keeps only six connections to one host, whatever the number of its tabs. */
  function stream(params, handlers) {
    var errors = 0, timer = null, source = null, closed = false;

    function stop() {
      if (source) { source.close(); }
      source = null;
    }
    function poll() {
      stop();
      if (!timer && !closed && handlers.poll) {
        timer = setInterval(function () { if (!document.hidden) { handlers.poll(); } }, 3000);
        handlers.poll();
      }
    }
    function open() {
      if (closed || timer || source || document.hidden) { return; }
      if (!window.EventSource) { poll(); return; }
      source = new EventSource(api + "stream?" + new URLSearchParams(params));
      source.onopen = function () { if (handlers.open) { handlers.open(); } };
      source.onerror = function () {
        errors += 1;
        if (errors >= 2) { poll(); return; }
        if (source && source.readyState === EventSource.CLOSED) { stop(); setTimeout(open, 1000); }
      };
      Object.keys(handlers).forEach(function (name) {
        if (name === "poll" || name === "open") { return; }
        source.addEventListener(name, function (event) {
          errors = 0;
          handlers[name](JSON.parse(event.data));
        });
      });
      if (!handlers.note) {
        source.addEventListener("note", function (event) { errors = 0; note(JSON.parse(event.data)); });
      }
    }
    document.addEventListener("visibilitychange", function () {
      if (document.hidden) { stop(); } else { open(); }
    });
    open();
    return {
      close: function () { closed = true; clearInterval(timer); stop(); },
      polling: function () { return timer !== null; }
    };
  }

  /** Text for innerHTML: whatever a job is called, it stays text. */
  function esc(text) {
    return String(text === null || text === undefined ? "" : text)
      .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;").replace(/'/g, "&#39;");
  }

  /** "2h 07m" of seconds; "-" where unknown. */
  function duration(seconds) {
    if (seconds === null || seconds === undefined || !isFinite(seconds)) { return "-"; }
    var whole = Math.max(0, Math.round(seconds));
    var units = [["d", 86400, 3600, "h"], ["h", 3600, 60, "m"], ["m", 60, 1, "s"]];
    for (var u of units) {
      if (whole >= u[1]) {
        return Math.floor(whole / u[1]) + u[0] + " " + String(Math.floor(whole % u[1] / u[2])).padStart(2, "0") + u[3];
      }
    }
    return whole + "s";
  }

  /** "5m 02s ago" of UTC seconds. */
  function ago(t) {
    return t === null || t === undefined ? "-" : duration(Date.now() / 1000 - t) + " ago";
  }

  /** A number with so many digits; "-" where there is none. */
  function num(x, digits) {
    return typeof x === "number" && isFinite(x) ? x.toFixed(digits === undefined ? 2 : digits) : "-";
  }

  var whole = new Intl.NumberFormat("en"), moment = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "medium"});

  /** 12,345. */
  function count(x) {
    return whole.format(x);
  }

  /** Date and time of UTC seconds, as this browser writes them; null where there is none. */
  function when(t) {
    return t === null || t === undefined ? null : moment.format(t * 1000);
  }

  /** An element: el("a", {href, class, text, on: {click}}, children). Attributes that are null are left out. */
  function el(name, given, children) {
    var made = document.createElement(name);
    Object.entries(given || {}).forEach(function (pair) {
      var key = pair[0], value = pair[1];
      if (value === null || value === undefined || value === false) { return; }
      if (key === "text") { made.textContent = value; }
      else if (key === "on") { Object.entries(value).forEach(function (e) { made.addEventListener(e[0], e[1]); }); }
      else { made.setAttribute(key, value === true ? "" : value); }
    });
    (children || []).forEach(function (child) { if (child !== null && child !== undefined) { made.append(child); } });
    return made;
  }

  /** What is wrong, above the page; note(null) or {error: null} takes it away. */
  function note(error) {
    var place = document.getElementById("srq-note");
    var text = error && (error.error || error.message);
    place.hidden = !text;
    if (text) {
      var whole = text + (error.hint ? ". " + error.hint : "");
      if (place.textContent !== whole) { place.textContent = whole; }
    }
  }

  /** Said to a screen reader, at most every ten seconds. */
  var said = 0, waiting = null;
  function announce(text) {
    waiting = text;
    var wait = Math.max(0, said + 10000 - Date.now());
    setTimeout(function () {
      if (waiting !== null && Date.now() >= said + 10000) {
        document.getElementById("srq-live").textContent = waiting;
        waiting = null;
        said = Date.now();
      }
    }, wait);
  }

  function badge(job) {
    var silent = job.lease_left_s !== null && job.lease_left_s < 0;
    var text = silent ? "no sign of life" : job.wish ? job.state + ", " + job.wish : job.state;
    return el("span", {class: "srq-badge srq-" + (silent ? "failed" : job.state), text: text});
  }

  /** "33.55 dB" and the gain over bicubic. */
  function psnr(job) {
    if (job.best_psnr === null) { return "-"; }
    var gain = job.gain === null ? "" : " (" + (job.gain >= 0 ? "+" : "−") + num(Math.abs(job.gain), 2) + ")";
    return num(job.best_psnr, 2) + " dB" + gain;
  }

  var clock = new Intl.DateTimeFormat(undefined, {weekday: "short", hour: "2-digit", minute: "2-digit"});

  /** "ends Sat 14:10 ± 12m 05s at 31.42 ± 0.06 dB": the 80 % bands of a running job; "-" where nothing is forecast. */
  function forecast(job) {
    var told = job.forecast, parts = [];
    if (!told) { return "-"; }
    if (told.end) {
      var far = Math.abs(told.end[1] - Date.now() / 1000) > 6 * 86400;
      parts.push("ends " + (far ? when(told.end[1]) : clock.format(told.end[1] * 1000)) +
        " ± " + duration((told.end[2] - told.end[0]) / 2));
    }
    if (told.psnr) {
      var half = Math.ceil((told.psnr[2] - told.psnr[0]) / 2 * 100 - 1e-9) / 100;
      parts.push("at " + num((told.psnr[0] + told.psnr[2]) / 2, 2) + " ± " + num(half, 2) + " dB");
    }
    return parts.join(" ") || "-";
  }

  window.srq = {
    base: base, mayAct: root.dataset.mayAct === "1", whyNot: root.dataset.whyNot || null, get: get, post: post,
    stream: stream, esc: esc, ago: ago, count: count, when: when, duration: duration, num: num, el: el, note: note, announce: announce,
    badge: badge, psnr: psnr, forecast: forecast, ApiError: ApiError
  };
}());
