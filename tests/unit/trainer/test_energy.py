"""EnergyMeter: measured where somebody counts, else estimated and said so."""

import time

import pytest
import torch

from workers.trainer import energy
from workers.trainer.energy import EnergyMeter, package_joules
from workers.trainer.nvml import CardFigures

CPU = [torch.device("cpu")]


class Card:
    """A driver's answers, one after the other."""

    def __init__(self, counts=(), watts=None, computing=1):
        self.counts, self.watts, self.others = list(counts), watts, computing

    def joules(self):
        return self.counts.pop(0) if self.counts else None

    def read(self):
        return CardFigures(watts=self.watts)

    def computing(self):
        return self.others


@pytest.fixture
def clock(monkeypatch):
    """Wall, CPU seconds of the process and of the machine, and no RAPL."""
    now = {"wall": 0.0, "cpu": 0.0, "busy": 0.0, "package": None}
    monkeypatch.setattr(energy.time, "monotonic", lambda: now["wall"])
    monkeypatch.setattr(energy.time, "process_time", lambda: now["cpu"])
    monkeypatch.setattr(energy, "_busy_seconds", lambda: now["busy"])
    monkeypatch.setattr(energy, "package_joules", lambda: now["package"])
    monkeypatch.setattr(energy, "cores", lambda: 4)
    return now


def test_without_a_counter_a_cpu_is_estimated_by_its_share_of_the_cores(clock):
    meter = EnergyMeter(CPU, {"cpu_watts": 100.0})
    clock.update(wall=3600.0, cpu=3600.0)
    drawn = meter.lap()
    assert drawn.kwh == drawn.estimated == pytest.approx(0.025)


def test_a_cpu_that_counts_is_measured_by_the_share_of_its_busy_time(clock):
    clock.update(package=1000.0, busy=50.0)
    meter = EnergyMeter(CPU, {})
    clock.update(wall=100.0, cpu=60.0, busy=170.0, package=1000.0 + 7.2e6)
    drawn = meter.lap()
    assert (drawn.kwh, drawn.estimated) == (pytest.approx(1.0), 0.0)


@pytest.mark.parametrize(
    ("card", "kwh", "estimated"),
    [
        (Card([0.0, 3.6e6]), 1.0, 0.0),
        (Card([0.0, 3.6e6], computing=2), 0.5, 0.0),
        (Card(watts=500.0), 0.5, 0.0),
        (None, 0.3, 0.3),
    ],
)
def test_a_card_is_counted_read_or_guessed(clock, monkeypatch, card, kwh, estimated):
    monkeypatch.setattr(energy, "find_cuda", lambda device: card)
    meter = EnergyMeter([torch.device("cuda:0")], {"gpu_watts": 300.0})
    clock.update(wall=3600.0)
    meter.lap()
    assert (meter.kwh, meter.estimated) == (pytest.approx(kwh), pytest.approx(estimated))


def test_a_card_is_asked_once_a_second_and_nothing_is_lost(clock, monkeypatch):
    card = Card([0.0, 3.6e6])
    monkeypatch.setattr(energy, "find_cuda", lambda device: card)
    meter = EnergyMeter([torch.device("cuda:0")], {})
    clock.update(wall=0.5)
    assert meter.lap().kwh == 0 and len(card.counts) == 1
    clock.update(wall=1.0)
    assert meter.lap().kwh == pytest.approx(1.0)


def test_what_the_kernel_shows_of_all_packages(tmp_path):
    assert package_joules(tmp_path) is None
    for name, micro in (("intel-rapl:0", 2_000_000), ("intel-rapl:1", 1_000_000), ("intel-rapl:0:0", 9)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{micro}\n")
    assert package_joules(tmp_path) == 3.0


def test_a_process_that_works_draws_something():
    meter = EnergyMeter(CPU, {})
    begun = time.process_time()
    while time.process_time() - begun < 0.05:
        pass
    assert meter.lap().kwh > 0
