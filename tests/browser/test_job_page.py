"""The page of one job, in a real browser, with real training behind it."""

import io

import pytest
from PIL import Image, ImageChops, ImageStat

from srqueue.curves import history
from srqueue.run.events import Event
from srqueue.run.reasons import JobState
from tests.browser.conftest import DRAWN, TOTAL, drawn


def iteration(page):
    return int(page.locator("#job-iteration").inner_text().split()[1].replace(",", ""))


@pytest.fixture(scope="module")
def running_page(open_for_module, running):
    return drawn(open_for_module, running)


@pytest.fixture(scope="module")
def ended_page(open_for_module, ended, wait_until):
    page = drawn(open_for_module, ended)
    page.set_viewport_size({"width": 1280, "height": 1500})  # nothing has to be scrolled
    wait_until(lambda: "dB" in page.locator("#picture-figures").inner_text(), "the pictures are compared")
    return page


def test_progress_moves_by_itself(running_page, wait_until):
    page = running_page
    before = iteration(page)
    points = "document.getElementById('plot-loss').data.find((l) => l.name === 'loss').x.length"
    drawn = page.evaluate(points)

    assert page.locator("#job-state").inner_text() == "running"
    wait_until(lambda: iteration(page) > before, "the page tells of more iterations", 30)
    wait_until(lambda: page.evaluate(points) > drawn, "the curve grows", 30)


def test_a_zoom_stays_while_points_arrive(running_page, wait_until):
    page = running_page
    page.evaluate("Plotly.relayout('plot-loss', {'xaxis.range[0]': 10, 'xaxis.range[1]': 60})")
    points = "document.getElementById('plot-loss').data.at(-1).x.length"
    before = page.evaluate(points)

    wait_until(lambda: page.evaluate(points) > before, "the curve grows", 30)

    ranges = "['plot-loss', 'plot-psnr'].map((id) => document.getElementById(id).layout.xaxis.range)"
    assert page.evaluate(ranges) == [[10, 60], [10, 60]]  # all plots look at the same part


def test_the_curves_are_the_numbers_of_the_store(ended_page, stack, ended):
    page = ended_page
    told = history(Event.parse(line) for _, line in stack.client.store.events(ended.id))

    drawn = page.evaluate(
        """() => Object.fromEntries(["psnr", "ssim", "lr"].map((key) => {
             const line = document.getElementById(`plot-${key}`).data.find((l) => l.meta === "value");
             return [key, [line.x, line.y]];
           }))"""
    )

    for key, metric in {"psnr": "val/psnr", "ssim": "val/ssim", "lr": "lr"}.items():
        curve = told.curves[metric]
        assert drawn[key] == [curve.it, curve.values], metric
    assert told.curves["val/psnr"].it == list(range(20, TOTAL + 1, 20))
    flat = page.evaluate("document.getElementById('plot-psnr').data.find((l) => l.meta === 'bicubic').y")
    assert flat == [told.curves["bicubic/psnr"].last] * 2


def test_smoothing_is_the_debiased_mean_and_leaves_the_figures_behind_it(ended_page):
    page = ended_page
    raw, smooth = page.evaluate(
        """() => { const { data } = document.getElementById("plot-speed");
             return ["raw", "value"].map((meta) => data.find((line) => line.meta === meta).y); }"""
    )
    total, expected = 0.0, []
    for n, value in enumerate(raw, 1):
        total = 0.6 * total + 0.4 * value
        expected.append(total / (1 - 0.6**n))

    assert smooth == pytest.approx(expected)
    assert smooth != raw


def apart(one, other):
    """The mean difference of two pictures' pixels, in levels of 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def test_the_wipe_slider_shows_three_different_pictures_by_keyboard(ended_page):
    page = ended_page
    frame, wipe = page.locator("#picture-frame"), page.locator("#wipe")
    tags = page.locator(".picture-tag, .wipe-line")
    tags.evaluate_all("(nodes) => nodes.forEach((node) => { node.style.visibility = 'hidden'; })")

    def all_of(pair, key):
        page.get_by_label(pair, exact=True).check(force=True)
        wipe.focus()
        page.keyboard.press(key)
        return Image.open(io.BytesIO(frame.screenshot())).convert("RGB")

    bicubic, model = all_of("bicubic | model", "End"), all_of("bicubic | model", "Home")
    original = all_of("model | original", "Home")
    page.keyboard.press("ArrowRight")

    assert wipe.input_value() == "1"
    assert min(apart(bicubic, model), apart(model, original), apart(bicubic, original)) > 0.1
    assert apart(all_of("bicubic | original", "End"), bicubic) < 0.05
    assert apart(all_of("bicubic | original", "Home"), original) < 0.05


def test_an_older_iteration_is_another_picture_and_the_difference_is_told(ended_page, wait_until):
    page, figures = ended_page, ended_page.locator("#picture-figures")
    newest = figures.inner_text()
    page.locator("#picture-iteration").focus()
    page.keyboard.press("Home")
    wait_until(lambda: figures.inner_text() != newest, "the other picture is compared")

    page.get_by_label("difference", exact=True).check(force=True)
    canvas = page.locator("#picture-difference")

    assert canvas.is_visible()
    assert "mean difference to the original" in canvas.get_attribute("aria-label")


def test_pause_and_resume_ask_first_and_are_said(running_page, stack, running, wait_until):
    page = running_page
    try:
        page.locator("[data-act=pause]").click()
        page.locator("#act-no").click()
        assert stack.client.get(running.id).wish is None

        page.locator("[data-act=pause]").click()
        page.locator("#act-yes").click()
        wait_until(lambda: page.locator("#job-state").inner_text() == "paused", "the page says paused")
        page.wait_for_selector("[data-act=resume]")

        assert "is paused" in page.locator("#state-said").text_content()
        assert stack.client.get(running.id).state is JobState.PAUSED
    finally:
        stack.until(running.id, lambda r: r.wish is None, "the pause comes about")
        if stack.client.get(running.id).state is JobState.PAUSED:
            page.locator("[data-act=resume]").click()
            page.locator("#act-yes").click()
            stack.until(running.id, lambda r: r.state is JobState.RUNNING, "it goes on")


def test_another_job_joins_the_plots_by_its_name(job_page, ended, running, wait_until):
    page = job_page(ended)
    page.locator("#compare-job").fill("running")
    page.keyboard.press("Enter")
    drawn = "document.getElementById('plot-psnr').data.filter((l) => l.meta === 'value').length"
    wait_until(lambda: page.evaluate(drawn) == 2, "both jobs are drawn")

    page.locator("#compare-link").click()
    page.wait_for_selector(DRAWN)

    assert page.locator("#compare-rows tr").count() == 2
    assert page.url.endswith(f"/compare?jobs={ended.id},{running.id}")


def test_spec_filter_and_diff(ended_page, running):
    page = ended_page
    page.locator("#tab-spec").click()
    page.locator("#spec-filter").fill("total_iter")
    assert page.locator("#spec-rows tr:visible").all_inner_texts() == [f"train.total_iter\t{TOTAL}\tdefault"]

    page.locator("#diff-job").fill(running.short_id)
    page.keyboard.press("Enter")
    page.wait_for_selector("#diff-rows tr")
    rows = dict(text.split("\t", 1) for text in page.locator("#diff-rows tr").all_inner_texts())
    assert rows["train.total_iter"] == f"{TOTAL}\t1000000"


def test_a_job_that_is_removed_while_its_page_is_open_is_told(open_page, stack, tiny_spec, wait_until):
    job = stack.submit(tiny_spec(stack.identity, 7, name="short-lived"), priority=0)
    page = open_page(f"/job/{job.id}")
    wait_until(lambda: page.locator("#job-state").inner_text() == "queued", "the page says queued")
    remark = page.locator("#job-remark")
    wait_until(lambda: remark.inner_text().startswith("Waits: "), "the page says why it waits")

    stack.client.remove(job.id)

    wait_until(lambda: "gone" in page.locator("#srq-note").text_content(), "the page says that it is gone")
    assert page.locator("#job-name").inner_text() == "short-lived"
    assert page.locator("#job-acts button").count() == 0


def test_everything_that_can_be_used_has_a_name_for_a_screen_reader(ended_page):
    nameless = ended_page.evaluate(
        """() => {
             const named = (node) => node.getAttribute("aria-label") || node.getAttribute("aria-labelledby")
               || node.textContent.trim() || node.labels?.length || node.matches("img[alt]");
             return [...document.querySelectorAll("#job :is(button, a, input, select, img, [role=img])")]
               .filter((node) => node.offsetParent && !node.closest(".modebar") && !named(node))
               .map((node) => node.outerHTML.slice(0, 200)); }"""
    )
    assert nameless == []
    summary = ended_page.locator("#plot-psnr").get_attribute("aria-label")
    assert "PSNR-Y" in summary and "at iteration" in summary
