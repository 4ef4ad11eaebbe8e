"""What the uploader of a worker is told of secrets: the address of Redis, and no other."""

from workers.uploads import _environment


def test_the_address_of_redis_comes_along_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "srqueue_redis_url").write_text("redis://worker:secret@queue/0\n")
    (tmp_path / "srqueue_signing_key").write_text("k" * 40)
    monkeypatch.delenv("SRQUEUE_REDIS_URL", raising=False)
    monkeypatch.setenv("SRQUEUE_SECRETS", str(tmp_path))
    monkeypatch.setenv("SRQUEUE_NOTIFY", "json://me:secret@host")
    told = _environment()
    assert told["SRQUEUE_REDIS_URL"] == "redis://worker:secret@queue/0"
    assert not {"SRQUEUE_SECRETS", "SRQUEUE_NOTIFY", "SRQUEUE_SIGNING_KEY"} & set(told)
