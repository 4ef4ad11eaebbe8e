"""Events in words."""

import re

from srqueue.monitor.wording import said
from srqueue.run.events import Event
from tests.conftest import ROOT


def test_every_phase_that_a_trainer_tells_is_a_sentence():
    source = "".join(file.read_text() for file in (ROOT / "workers" / "trainer").rglob("*.py"))
    phases = set(re.findall(r'\.phase\(\s*"(\w+)"', source))
    assert {"started", "loading", "training", "finished"} <= phases
    told = {phase: said(Event(0, 0.0, 1, 0, "phase", {"phase": phase})) for phase in phases}
    assert [phase for phase, text in told.items() if text.endswith(f" {phase}")] == ["finished"]
