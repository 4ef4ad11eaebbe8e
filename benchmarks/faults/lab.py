"""The whole at once: a campaign on three hosts by TLS, ACL and Sentinels; a host cut off, a failover.

Runs tests/hosts/test_campaign.py at full size, keeps what came. Needs redis-server (.ci/deploy-tools).
"""

import argparse

from benchmarks.faults.hosts import run_tests


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many seeds each of the two networks is trained with."""
    parser.add_argument("--seeds", type=int, default=3)


def main(args: argparse.Namespace) -> bool:
    """True where every job ended once, with the bits of its twin, and nothing leaked or was refused."""
    return run_tests("lab", "tests/hosts/test_campaign.py", LAB_SEEDS=str(args.seeds))
