"""How long is looked: FUZZ=long (`make fuzz`) for minutes, else for a second or two a target."""

import os

from hypothesis import HealthCheck, settings

_MORE = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
settings.register_profile("fuzz short", max_examples=60, derandomize=True, database=None, **_MORE)
settings.register_profile("fuzz long", max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")), **_MORE)
PROFILE = settings.get_profile("fuzz long" if os.environ.get("FUZZ") == "long" else "fuzz short")
