"""What a step costs without a clock: kernels, bytes and values waited for are pinned.

A change that raises one of these numbers must say why; one that lowers them should lower the pin.
"""

import pytest

from benchmarks.step_cost import cost, spec_of

PINS = {
    ("compact", "convenience"): (129, 851, 0),
    ("compact", "tuned"): (296, 540, 6),
    ("paragonsr2_nano", "convenience"): (374, 1963, 1),
}
"""Launches, megabytes, waits.

SOAP looks at its six step counters, which lie on the host; the attention of nano at its largest exponent.
"""


@pytest.mark.parametrize(("architecture", "preset"), PINS)
def test_a_step_launches_moves_and_waits_for_no_more_than_this(architecture, preset):
    found = cost(spec_of(architecture, preset))
    launches, megabytes, waits = PINS[architecture, preset]
    assert (found.launches, found.waits) <= (launches, waits)
    assert found.moved <= megabytes * 1e6
