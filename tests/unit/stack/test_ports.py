"""Ports for Flower."""

import socket

import pytest

from srqueue.errors import ConflictError
from srqueue.stack.ports import next_free_port, port_is_free, require_free


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_the_way_out(taken):
    with pytest.raises(ConflictError) as caught:
        require_free("127.0.0.1", taken)
    assert str(taken) in caught.value.message
    assert "--flower-port" in (caught.value.hint or "")
    assert "SRQUEUE_FLOWER_PORT" in (caught.value.hint or "")


def test_the_next_free_port_lies_above_a_taken_one(taken):
    found = next_free_port("127.0.0.1", taken)
    assert found > taken
    assert port_is_free("127.0.0.1", found)
