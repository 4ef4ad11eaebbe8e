"""Whatever bytes they get, readers raise nothing but what they say; what once broke one stays tried."""

from pathlib import Path

import pytest
from hypothesis import given

from tests.fuzz.conftest import PROFILE
from tests.fuzz.inputs import inputs
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
KEPT = sorted(path.relative_to(CORPUS) for path in CORPUS.glob("*/*"))


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_break_a_reader(name):
    @PROFILE
    @given(inputs(name))
    def look(data):
        TARGETS[name](data)

    look()


@pytest.mark.parametrize("path", KEPT, ids=str)
def test_what_broke_a_reader_once_breaks_it_no_more(path):
    TARGETS[path.parts[0]]((CORPUS / path).read_bytes())
