"""What a report says of the machine."""

import sys
import time
from types import ModuleType, SimpleNamespace

import torch

from srqueue.curves import history
from srqueue.run.events import Event
from workers.load import Load
from workers.trainer import resources
from workers.trainer.nvml import CardFigures, find_card
from workers.trainer.resources import Resources


class Driver(ModuleType):
    """A pynvml with one card, a share of which does not tell its load."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self):
        super().__init__("pynvml")
        self.asked = 0
        self.nvmlInit = lambda: None
        self.nvmlDeviceGetName = lambda handle: "NVIDIA H200"
        self.nvmlDeviceGetPowerUsage = lambda handle: 123_456
        self.nvmlDeviceGetTemperature = lambda handle, sensor: 61

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid != "GPU-1":
            raise self.NVMLError
        return "handle"

    def nvmlDeviceGetMemoryInfo(self, handle):
        self.asked += 1
        return SimpleNamespace(used=3 * 2**30, total=140 * 2**30)

    def nvmlDeviceGetUtilizationRates(self, handle):
        raise self.NVMLError


def test_a_process_that_computes_uses_a_core_and_one_that_sleeps_none():
    found = Resources(torch.device("cpu"))
    found.read()
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    busy = found.read()
    time.sleep(0.2)
    idle = found.read()
    assert 0 < idle["cpu"] + 0.05 < busy["cpu"]
    assert busy.keys() == {"cpu", "rss_mib"} and busy["rss_mib"] > 50


def test_a_card_tells_what_it_can(monkeypatch):
    driver = Driver()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    card = find_card("GPU-1")
    assert card.read() == CardFigures(None, 3 * 1024, 140 * 1024, 123.5, 61)
    assert find_card("GPU-2") is None
    (gpu,) = Load(["", "GPU-1", "GPU-2"]).read()["gpus"]
    assert gpu == {
        "name": "NVIDIA H200", "util": None, "mib": [3072, 143360], "watts": 123.5, "celsius": 61,
    }  # fmt: skip


def test_a_card_is_asked_once_a_second(monkeypatch):
    driver, clock = Driver(), [10.0]
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.setattr(resources, "_card", lambda device: find_card("GPU-1"))
    monkeypatch.setattr(resources.time, "monotonic", lambda: clock[0])
    found = Resources(torch.device("cpu"))
    for _ in range(10):
        clock[0] += 0.25
        read = found.read()
    assert driver.asked == 3
    assert {k: v for k, v in read.items() if k.startswith("gpu")} == {
        "gpu_mib": 3072, "gpu_watts": 123.5, "gpu_celsius": 61,
    }  # fmt: skip


def test_without_a_driver_or_its_library_there_is_no_card(monkeypatch):
    assert find_card("GPU-none") is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import of it fails
    assert find_card("GPU-1") is None


def test_the_figures_are_curves():
    events = [Event(0, 1.0, 1, 10, "train", {"loss": 1.0, **Resources(torch.device("cpu")).read()})]
    curves = history(events).curves
    assert (curves["cpu"].unit, curves["rss_mib"].unit) == ("cores", "MiB")
