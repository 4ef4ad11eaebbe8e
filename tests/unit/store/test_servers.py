"""What stands in the address of the server and cannot be used is a wrong setting, and nothing is asked."""

import pytest

from srqueue.errors import UsageError
from srqueue.store.servers import open_client


@pytest.mark.parametrize("asked", ["foo=bar", "db=two", "socket_timeout=soon"])
def test_an_option_that_is_none_is_told_without_the_password(environment, valkey, asked):
    settings = environment(valkey, REDIS_URL=f"redis://me:canary@127.0.0.1:6379/0?{asked}")
    with pytest.raises(UsageError, match="cannot be used") as caught:
        open_client(settings)
    assert caught.value.where == "SRQUEUE_REDIS_URL" and "canary" not in str(caught.value)
    open_client(environment(valkey, REDIS_URL="redis://me:canary@127.0.0.1:6379?db=2")).close()
