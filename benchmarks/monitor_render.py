"""How long after the data's arrival are 5,000 jobs on the screen? A headless Chromium on a real Flower.

From the end of the answer (the browser's own timing) to the second frame after the last row is there.

python -m benchmarks.monitor_render [--jobs 5000] [--rounds 7] [--chromium /usr/bin/chromium]
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.machine import machine, write
from benchmarks.scale import cells

DRAWN = """async ([jobs, before]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const rows = () => document.querySelectorAll("#srq-jobs tbody tr").length;
  const answers = () => performance.getEntriesByType("resource")
    .filter(e => e.name.includes("/api/jobs") && e.name.includes("size=" + jobs) && e.responseEnd > before);
  while (rows() !== jobs || !answers().length) await frame();
  document.body.offsetHeight;
  await frame(); await frame();
  return performance.now() - answers()[0].responseEnd;
}"""


def main() -> None:
    """Fills a store, starts a Flower, and looks at its list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"SRQUEUE_HOME": home, "SRQUEUE_DATASETS": str(Path(home) / "datasets.yaml")}
        from srqueue.queue.client import Client
        from srqueue.settings import load_settings
        from srqueue.stack.ports import next_free_port
        from srqueue.stack.stack import Stack

        os.environ["SRQUEUE_FLOWER_PORT"] = str(next_free_port("127.0.0.1", 5600))
        settings = load_settings()
        stack = Stack(settings)
        stack.up(["server"])
        try:
            Client().submit_many(cells(given.jobs, seed=1), campaign="many")
            stack.up(["flower"])
            took = drawn(settings.flower_port, given.jobs, given.rounds, given.chromium)
        finally:
            stack.down()
    figures = {
        "jobs": given.jobs,
        "seconds_from_the_answer_to_the_screen": {
            "median": round(statistics.median(took), 3), "range": [round(min(took), 3), round(max(took), 3)],
        },
    }  # fmt: skip
    write("monitor_render", f"python -m benchmarks.monitor_render --jobs {given.jobs}", figures, now)


def drawn(port: int, jobs: int, rounds: int, chromium: str) -> list[float]:
    """Seconds of each round, each with a page of its own."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(rounds):
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(f"http://127.0.0.1:{port}/training?state=queued")
            page.wait_for_selector("#srq-jobs tbody tr")
            before = page.evaluate("performance.now()")
            page.locator("#srq-size").select_option(str(jobs))
            found.append(page.evaluate(DRAWN, [jobs, before]) / 1000)
            page.close()
        browser.close()
    return found


if __name__ == "__main__":
    main()
