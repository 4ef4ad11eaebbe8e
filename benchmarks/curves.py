"""Draws the quality benchmark: PSNR over training time, one panel a test set, seeds as a shaded band."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

POINTS = 40
COLOURS = [f"C{number}" for number in range(10) if number != 7]  # grey is bicubic's
STYLES = ("-", "--")


def draw(figures: dict, path: Path) -> None:
    """Writes a PNG of what `benchmarks.quality` measured."""
    tests = list(figures["bicubic"])
    figure, panels = plt.subplots(1, len(tests), figsize=(5 * len(tests) + 3, 4.2), constrained_layout=True)
    for panel, test in zip(panels, tests, strict=True):
        for number, (recipe, runs) in enumerate(figures["runs"].items()):
            measured = [[row for row in run["curve"] if test in row] for run in runs]
            each = figures["budget_cpu_s"] / runs[0]["iterations"]
            curves = [
                ([r["iteration"] * each for r in rows], [r[test]["psnr"] for r in rows]) for rows in measured
            ]
            grid = np.linspace(max(c[0][0] for c in curves), min(c[0][-1] for c in curves), POINTS)
            values = np.stack([np.interp(grid, *curve) for curve in curves])
            color, style = COLOURS[number % len(COLOURS)], STYLES[number // len(COLOURS) % len(STYLES)]
            panel.plot(grid, values.mean(0), label=recipe, linewidth=1.6, color=color, linestyle=style)
            panel.fill_between(grid, values.min(0), values.max(0), color=color, alpha=0.15)
        panel.axhline(figures["bicubic"][test], color="grey", linestyle=":", label="bicubic")
        panel.set(title=test, xlabel="CPU seconds, one thread of a quiet machine", ylabel="PSNR-Y, dB")
        panel.grid(alpha=0.3)
    figure.legend(*panels[-1].get_legend_handles_labels(), fontsize=8, loc="outside right center")
    figure.savefig(path, dpi=110)
    plt.close(figure)
