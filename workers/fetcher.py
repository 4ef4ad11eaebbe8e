"""`python -m workers.fetcher RUN_DIR`: brings a run folder from the remote one, or the model that it begins
with; it can be ended."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from srqueue.errors import SrqueueError
from srqueue.remote.fetching import fetch
from srqueue.remote.folder import RemoteFolder
from srqueue.remote.models import bring_model
from srqueue.run.folder import RunDir
from srqueue.settings import load_settings


def main() -> None:
    """Prints `{"newest", "highest", "aside"}`: checkpoint brought, highest token, damaged ones in words.

    With --model-of the SHA-256 of the model that was brought: `{"sha256"}`.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--anchors", type=int, default=0, help="iterations between those to bring as well")
    parser.add_argument("--model-of", metavar="JOB", help="instead: the model of that job, to begin with")
    asked = parser.parse_args()
    remote, run = RemoteFolder.open(load_settings().remote), RunDir(asked.run_dir)
    if asked.model_of:
        print(json.dumps({"sha256": bring_model(remote, asked.model_of, run.start_model).sha256}))
        return
    found = fetch(remote, run, anchor_interval=asked.anchors)
    told = {
        "newest": str(found.newest) if found.newest else None,
        "highest": max(found.there.attempts, default=0),
        "aside": found.aside,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    try:
        main()
    except SrqueueError as error:
        print(error.message, file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)
        sys.exit(1)
