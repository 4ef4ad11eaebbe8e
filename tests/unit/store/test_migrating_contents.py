"""Every type of key that the store uses is on the other server what it was."""

import redis

from srqueue.store.keys import Keys
from srqueue.store.migrating.copying import clear, copy, sum_up


def test_each_type_is_copied_with_its_positions_scores_and_expiry(valkey, own_valkey):
    keys = Keys("srq")
    old, new = (redis.Redis.from_url(server.url) for server in (valkey, own_valkey))
    old.set("srq:text", b"\xff\x00", px=60_000)
    old.hset("srq:job:1", mapping={f"f{i}": i for i in range(3000)})
    old.zadd("srq:jobs", {"a": 1764460000.123456, "b": float("-inf"), "c": 0.1 + 0.2})
    old.sadd("srq:set", "a", "b")
    old.rpush("srq:list", "b", "a")
    for name in ("srq:events:1", "srq:log:1"):
        for i in range(1, 4):
            old.xadd(name, {"line": i}, id=f"5-{i}")
    old.xdel("srq:events:1", "5-3")
    old.xtrim("srq:log:1", maxlen=0)
    for left in ("srq:celery:q", "srq:worker:w", "srq:moved", "srq:arrived", "srqx:other"):
        old.set(left, "")
    new.set("srq:text", "something else")
    held = copy(old, new, keys, lambda: None)
    assert held == sum_up(old, keys) == sum_up(new, keys)
    assert held.kinds == {"string": 1, "hash": 1, "zset": 1, "set": 1, "list": 1, "stream": 2}
    assert set(map(bytes.decode, new.keys())) == {
        "srq:text", "srq:job:1", "srq:jobs", "srq:set", "srq:list", "srq:events:1", "srq:log:1"
    }  # fmt: skip
    assert 0 < new.pttl("srq:text") <= 60_000
    assert new.zrange("srq:jobs", 0, -1, withscores=True) == old.zrange("srq:jobs", 0, -1, withscores=True)
    for name in ("srq:events:1", "srq:log:1"):
        assert (
            new.xadd(name, {"line": "next"}, id="5-*") == old.xadd(name, {"line": "next"}, id="5-*") == b"5-4"
        )
    new.hset("srq:job:1", "f0", "1")
    assert sum_up(new, keys).sha256 != sum_up(old, keys).sha256
    clear(new, keys)
    assert new.dbsize() == 0
    old.close(), new.close()
