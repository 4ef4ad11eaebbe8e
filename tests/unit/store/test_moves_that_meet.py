"""A move of a queue, and what else happens to both servers meanwhile."""

import threading

import pytest
import redis

from srqueue.errors import ConflictError, UsageError
from srqueue.settings import on_server
from srqueue.store.migrating.moving import Migration, undo
from srqueue.store.moved import Moved
from srqueue.store.quotas import Quotas
from srqueue.store.store import Store


@pytest.fixture
def there(store, settings, own_valkey):
    """Settings of an empty server; the other one has a job."""
    store.create("0" * 26, spec={}, origins={}, spec_id="x", name="n", total_iter=1)
    return on_server(settings, own_valkey.url)


def move(settings, there, while_it_stands=lambda: None):
    def report(said):
        if "compared" in said:
            while_it_stands()

    return Migration(settings, there, report).run()


def test_what_was_to_be_written_while_a_queue_moved_is_refused_and_not_lost(
    store, settings, there, wait_until
):
    refused = []

    def sets_a_quota():
        with pytest.raises(redis.ConnectionError) as caught:
            redis.Redis.from_url(settings.store_url).hset(store.keys.quota("queued"), "ann", 3)
        refused.append(caught.value)

    thread = threading.Thread(target=sets_a_quota)

    def begins():
        thread.start()
        waiting = redis.Redis.from_url(settings.store_url)
        wait_until(lambda: waiting.info("clients")["blocked_clients"], "it waits")

    move(settings, there, begins)
    thread.join()
    assert refused
    for half in (settings, there):
        assert not redis.Redis.from_url(half.store_url).exists(store.keys.quota("queued"))


def test_two_moves_do_not_both_go_on_and_one_that_is_taken_back_ends(store, settings, there):
    def another():
        with pytest.raises(ConflictError, match="another srqueue migrate"):
            move(settings, there)

    assert move(settings, there, another).held.keys
    assert Quotas(Store.connect(there).connection).all() == ()

    with pytest.raises(UsageError, match="works there"):
        undo(settings)
    raw = redis.Redis.from_url(settings.store_url)
    raw.delete(store.keys.moved), redis.Redis.from_url(there.store_url).flushall()
    with pytest.raises(ConflictError, match="taken back meanwhile"):
        move(settings, there, lambda: undo(settings))
    store.set_priority("0" * 26, 9)  # it works where it was
    raw.close()


def test_a_server_that_the_queue_has_left_since_is_not_opened_again(store, settings, there):
    move(settings, there)
    left = Moved("other", "redis://third", "gone").text()
    redis.Redis.from_url(there.store_url).set(store.keys.moved, left)
    with pytest.raises(ConflictError, match="moved on to redis://third"):
        move(settings, there)
    assert redis.Redis.from_url(there.store_url).get(store.keys.moved) == left.encode()
    redis.Redis.from_url(settings.store_url).delete(store.keys.moved)
    with pytest.raises(UsageError, match="has moved away from that server"):
        move(settings, there)
    with pytest.raises(UsageError, match="already"):
        move(settings, on_server(settings, f"{settings.store_url}?db=1"))
