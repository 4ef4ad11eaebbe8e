"""Are forecasts right? Replays recorded curves as they were at a quarter and at half of their way.

Each curve of results/curves.json (benchmarks.learning_curves) is cut there and forecast with what was
known then: PSNR and SSIM that its report said in the end, and when it ended. Told are how many of the
outcomes lie in the 80 % bands, errors of the bands' middle, widths, and the same errors of who forecasts
naively: that the best value so far stays, that time goes on as it did (linear), and what the trainer
itself shows as its time left.

The settings of the model were chosen on some of the curves (TUNED_ON; `--tune` does so again); those that
were never among them are told by themselves. That a young curve may rise once more, and that this is counted
in gains over bicubic, was seen on all of them; by how much (Tuning.rise), on TUNED_ON alone. No pictures and
no torch are needed.

python -m benchmarks.forecast [--tune N]
"""

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace

from benchmarks.machine import RESULTS, machine, write
from benchmarks.recipes import RECIPES
from srqueue.forecast.fitting import Prior
from srqueue.forecast.playing import Doubt
from srqueue.forecast.running import TUNING, RunForecast, Tuning, forecast_run
from srqueue.forecast.schedule import warmed_share
from srqueue.forecast.timing import Report, Unsure
from srqueue.forecast.watched import Validation, Watched
from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.training import TrainSpec

CURVES = RESULTS / "curves.json"
SHARES = (0.25, 0.5)
TOLD = (0.25, 0.35, 0.5)
LATER = (0.5, 0.75)
"""Of a dozen points there are too few at a quarter."""
TUNED_ON = (
    "compact, tuned, 1500 it, seed 1",
    "thin, cosine, 3000 it, seed 1",
    "thin, stopping, 3000 it, seed 1",
    "nano, tuned, 720 it, seed 1",
    "thin, wsd, stopping, 870 it, seed 1",
    "edsr, fidelity, 10 x rate, 360 it, seed 1",
    "compact, tuned, 450 it, seed 2",
    "span, tuned, 300 it, seed 1",
    "edsr, stopping, 360 it, seed 1",
    "nano, convenience, 10 x rate, 330 it, seed 2",
    "edsr, cosine, 300 it, seed 1",
    "nano, constant, 280 it, seed 1",
)
"""Curves that were in any half that settings were chosen on; others were recorded later, or held back."""
UNWATCHED = {"train": {"training_automations": {"enabled": False}}}
"""Nothing was validated in those runs: no automation acted."""
MISSED = 10.0
"""What lies outside an 80 % band costs ten times its distance (the interval score: 2 / 0.2)."""


def cut(curve: dict, share: float) -> tuple[Watched, float, float]:
    """(what was known at that share of the way, its time, the trainer's own seconds left)."""
    until = share * curve["iteration"]
    vals = [v for v in curve["validations"] if v[0] <= until]
    reports = [r for r in curve["reports"] if r[0] <= until]
    train, rates = curve["train"], dict(curve["rates"])
    base = train["optim_g"]["lr"]
    seen = Watched(
        validations=[
            Validation(it, psnr, ssim, spent, rates[it] * base) for it, _, psnr, ssim, spent in vals
        ],
        reports=[Report(it, t, 1, it_s) for it, t, it_s, _ in reports],
        iteration=max(vals[-1][0], reports[-1][0] if reports else 0),
        bicubic=curve["bicubic"][0],
        bicubic_ssim=curve["bicubic"][1] if len(curve["bicubic"]) > 1 else None,
    )
    begun = [it for it, by in curve["actions"] if by == "IntelligentEarlyStopping" and it <= until]
    if begun and train["scheduler"]["type"] == "wsd":
        seen.decay_from = begun[0]
    return seen, max(vals[-1][1], reports[-1][1] if reports else 0.0), reports[-1][3] if reports else 0.0


def replay(curve: dict, share: float, tuning: Tuning, with_ssim: bool = True) -> tuple[RunForecast, dict]:
    """A forecast and what there is to compare it with."""
    seen, now, eta = cut(curve, share)
    found = forecast_run(
        seen, TrainSpec.model_validate(curve["train"]), curve["val_freq"], tuning=tuning, with_ssim=with_ssim
    )
    left = curve["ended_s"] - now
    best = max(seen.validations, key=lambda v: v.psnr)
    total = curve["train"]["total_iter"]
    return found, {
        "psnr": curve["best"][0], "ssim": curve["best"][1], "left_s": left, "best_psnr": best.psnr,
        "best_ssim": best.ssim, "last_psnr": seen.validations[-1].psnr, "trainer_s": eta,
        "linear_s": now * (total - seen.iteration) / seen.iteration,
    }  # fmt: skip


def of_recipes() -> list[dict]:
    """The curves of results/quality.json (benchmarks.quality): longer, of the presets' own recipes, a dozen
    checkpoints each, measured on Set5 afterwards; no times. Nothing was tuned on them."""
    photos = DatasetRef("train", "a" * 64, 2, "set5", "b" * 64)
    found = []
    figures = json.loads((RESULTS / "quality.json").read_text())["figures"]
    bicubic = figures["bicubic"]["Set5"]
    for name, runs in figures["runs"].items():
        recipe = RECIPES[name]
        for run in runs:
            lengths = {"train": {"total_iter": run["iterations"]}}
            train = expand(
                photos, preset=recipe.preset, architecture=recipe.architecture,
                overrides=[("recipe", recipe.changes), ("lengths", lengths), ("validated", UNWATCHED)],
            ).spec.train  # fmt: skip
            rows = [(r["iteration"], r["Set5"]["psnr"], r["Set5"]["ssim"]) for r in run["curve"]]
            best = max(rows, key=lambda row: row[1])
            found.append(
                {
                    "name": f"{name}, seed {run['seed']}", "train": train.model_dump(mode="json"),
                    "val_freq": max(run["iterations"] // 12, 1),
                    "iteration": run["iterations"], "reports": [],
                    "validations": [[it, 0.0, psnr, ssim, 0.0] for it, psnr, ssim in rows], "actions": [],
                    "rates": [[it, warmed_share(train, it - 1)] for it, _, _ in rows],
                    "ended_s": 0.0, "bicubic": [bicubic],
                    "best": [best[1], best[2]],
                }
            )  # fmt: skip
    return found


def halves_of(recipes: list[dict]) -> tuple[list[dict], list[dict]]:
    """Recipes with all their seeds: those that settings were chosen on, and the others."""
    names = list(dict.fromkeys(c["name"].rpartition(", seed")[0] for c in recipes))
    mine = {name for place, name in enumerate(names) if place not in (1, 5)}
    first = [c for c in recipes if c["name"].rpartition(", seed")[0] in mine]
    return first, [c for c in recipes if c not in first]


def score(curves: list[tuple[dict, tuple[float, ...]]], tuning: Tuning) -> float:
    """Interval scores of PSNR and of the time left, in units of what the naive ones miss by; less is
    better."""
    found = []
    for curve, shares in curves:
        for share in shares:
            forecast, was = replay(curve, share, tuning, with_ssim=False)
            if forecast.psnr is not None:
                missed = max(was["psnr"] - was["best_psnr"], 0.02)
                found.append(_interval(forecast.psnr, was["psnr"]) / missed)
            if forecast.seconds is not None:
                found.append(_interval(forecast.seconds, was["left_s"]) / was["left_s"])
    return statistics.mean(found)


def _interval(band, truth: float) -> float:
    missed = max(band.low - truth, truth - band.high, 0.0)
    return band.high - band.low + MISSED * missed + abs(band.middle - truth)


def table(curves: list[dict], share: float, tuning: Tuning) -> dict:
    """One row of the calibration table."""
    rows = [replay(curve, share, tuning) for curve in curves]
    told = [(f, was) for f, was in rows if f.psnr is not None and f.ssim is not None]
    timed = [(f, was) for f, was in rows if f.seconds is not None]
    found = {"curves": len(curves), "forecast": len(told), **_quality(told)}
    return {**found, "end": _times(timed)} if timed else found


def _quality(rows: list) -> dict:
    return {
        "psnr": {
            "inside the 80 % band": _inside(rows, "psnr", "psnr"), "mean width, dB": _width(rows, "psnr"),
            "error of the middle, dB": _error(rows, lambda f, w: f.psnr.middle - w["psnr"]),
            "error of the best so far, dB": _error(rows, lambda f, w: w["best_psnr"] - w["psnr"]),
            "error of the last value, dB": _error(rows, lambda f, w: w["last_psnr"] - w["psnr"]),
        },
        "ssim": {
            "inside the 80 % band": _inside(rows, "ssim", "ssim"), "mean width": _width(rows, "ssim"),
            "error of the middle": _error(rows, lambda f, w: f.ssim.middle - w["ssim"]),
            "error of the best so far": _error(rows, lambda f, w: w["best_ssim"] - w["ssim"]),
        },
    }  # fmt: skip


def _times(rows: list) -> dict:
    return {
        "inside the 80 % band": _inside(rows, "seconds", "left_s"),
        "mean width, hours": round(_width(rows, "seconds") / 3600, 5),
        "error of the middle, hours": _error(rows, lambda f, w: (f.seconds.middle - w["left_s"]) / 3600),
        "error of linear time, hours": _error(rows, lambda f, w: (w["linear_s"] - w["left_s"]) / 3600),
        "error of the trainer's own, hours": _error(rows, lambda f, w: (w["trainer_s"] - w["left_s"]) / 3600),
        "error of the middle, share": _error(rows, lambda f, w: f.seconds.middle / w["left_s"] - 1),
        "error of linear time, share": _error(rows, lambda f, w: w["linear_s"] / w["left_s"] - 1),
        "error of the trainer's own, share": _error(rows, lambda f, w: w["trainer_s"] / w["left_s"] - 1),
    }  # fmt: skip


def _inside(rows: list, what: str, truth: str) -> float:
    bands = [(getattr(f, what), was[truth]) for f, was in rows]
    return round(sum(b.low - 1e-9 <= x <= b.high + 1e-9 for b, x in bands) / len(bands), 3)


def _error(rows: list, of: Callable[[RunForecast, dict], float]) -> dict:
    values = sorted(abs(of(f, was)) for f, was in rows)
    return {"mean": round(statistics.mean(values), 5), "median": round(statistics.median(values), 5)}


def _width(rows: list, what: str) -> float:
    return round(statistics.mean(getattr(f, what).high - getattr(f, what).low for f, _ in rows), 5)


def rise(curves: list[dict], share: float) -> dict:
    """What `Tuning.rise` is from, and what it would be worth on networks that nobody has seen.

    Of each curve: what came above the middle of its band, in gains over bicubic; none where the band without
    a rise holds it. Nine of ten of those of TUNED_ON are below the rise (split conformal prediction); then of
    each network the same of all others, which tells how often its own outcomes lie inside.
    """
    without, rows = replace(TUNING, rise=0.0), []
    for curve in curves:
        forecast, was = replay(curve, share, without, with_ssim=False)
        if (band := forecast.psnr) is not None:
            over = (was["psnr"] - band.middle) / (was["best_psnr"] - curve["bicubic"][0])
            rows.append((curve["name"], max(over, 0.0) if was["psnr"] > band.high else 0.0, was, band))
    inside = []
    for name, over, was, band in rows:
        others = [o for other, o, _, _ in rows if other.partition(",")[0] != name.partition(",")[0]]
        inside.append(was["psnr"] >= band.low - 1e-9 and over <= _nine_of_ten(others))
    return {
        "from the curves tuned on": round(_nine_of_ten([o for n, o, _, _ in rows if n in TUNED_ON]), 3),
        "from all curves": round(_nine_of_ten([o for _, o, _, _ in rows]), 3),
        "inside, by the other networks' rise": round(statistics.mean(inside), 3),
    }


def _nine_of_ten(values: list[float]) -> float:
    place = math.ceil(0.9 * (len(values) + 1))
    return sorted(values)[min(place, len(values)) - 1]


def tune(curves: list[tuple[dict, tuple[float, ...]]], tries: int) -> Tuning:
    """The best of random settings, from the ones that are there on."""
    dice, best, least = random.Random(7), TUNING, score(curves, TUNING)
    print(f"now: {least:.4f}")

    def other(value: float, low: float, high: float) -> float:
        return round(min(max(value * 2 ** dice.gauss(0, 0.7), low), high), 4)

    limits = {
        Prior: {
            "ignored": (0.02, 0.5), "recency": (0.05, 6), "independent": (4, 60), "annealing": (0.01, 1),
            "annealing_sd": (0.02, 1), "gain_sd": (0.1, 5), "floor": (1e-4, 0.05),
        },
        Doubt: {"gain": (0.02, 1), "bend": (0.02, 1.5), "drift": (0.05, 5), "memory": (0.05, 0.95)},
        Unsure: {"least": (0.002, 0.2), "persistent": (0.05, 2)},
    }  # fmt: skip
    for number in range(tries):
        parts = {}
        for name in ("prior", "doubt", "unsure"):
            part = getattr(best, name)
            changed = {
                key: other(getattr(part, key), *limit)
                for key, limit in limits[type(part)].items()
                if dice.random() < 0.25
            }
            parts[name] = replace(part, **changed)
        candidate = replace(best, **parts)
        if (found := score(curves, candidate)) < least:
            best, least = candidate, found
            print(f"{number}: {least:.4f} {best}", flush=True)
    return best


def main() -> None:
    """Writes results/forecast.json, or with --tune prints settings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--tune", type=int, default=0, metavar="N", help="try N settings on one half; write nothing"
    )
    args = parser.parse_args()
    curves = json.loads(CURVES.read_text())["curves"]
    recipes = of_recipes()
    chosen = [c for c in curves if c["name"] in TUNED_ON]
    others = [c for c in curves if c["name"] not in TUNED_ON]
    mine, theirs = halves_of(recipes)
    if args.tune:
        print(tune([(c, SHARES) for c in chosen] + [(c, LATER) for c in mine], args.tune))
        return
    now, begun = machine(), time.process_time()
    halves = {"held back": others, "tuned on": chosen, "all": curves}
    figures = {
        name: {f"at {share:.0%}": table(half, share, TUNING) for share in TOLD}
        for name, half in halves.items()
    }
    made = 2 * len(TOLD) * len(curves)
    cost = {"cpu_ms_a_forecast": round((time.process_time() - begun) / made * 1e3, 1)}
    for name, some in (("quality.json, held back", theirs), ("quality.json, tuned on", mine)):
        figures[name] = {f"at {share:.0%}": table(some, share, TUNING) for share in LATER}
    settings = asdict(TUNING)
    write(
        "forecast",
        "python -m benchmarks.forecast",
        {"calibration": figures, "rise at 25%": rise(curves, 0.25), **cost, "settings": settings},
        now,
    )


if __name__ == "__main__":
    main()
