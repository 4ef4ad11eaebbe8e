/** What is shown stays true: told by the server, with a slow look for what a stream has missed. */

const LOOK_MS = 20000;

/** Calls `look` at once, where the stream says so, every 20 s, and when the page is seen again. Returns what ends it. */
export function follow(params, handlers, look) {
  const stream = window.srq.stream(params, { ...handlers, open: look, poll: look });
  const timer = setInterval(() => document.hidden || look(), LOOK_MS);
  const seen = () => document.hidden || look();
  document.addEventListener("visibilitychange", seen);
  look();
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", seen);
    stream.close();
  };
}

/** Runs a function at most once at a time and once a `ms`; a call meanwhile runs it once more afterwards. */
export function paced(ms, run) {
  let busy = false;
  let again = false;
  return async function call() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      await run();
    } finally {
      setTimeout(() => {
        busy = false;
        if (again) {
          again = false;
          call();
        }
      }, ms);
    }
  };
}
