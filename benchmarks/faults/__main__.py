"""python -m benchmarks.faults soak|aimed|takeover|overhead|hosts|lab|all: see the README beside them."""

import argparse
import signal
import sys

from benchmarks.faults import aimed, hosts, lab, overhead, soak, takeover

PARTS = {
    "soak": soak, "aimed": aimed, "takeover": takeover, "overhead": overhead, "hosts": hosts, "lab": lab,
}  # fmt: skip


def main() -> int:
    """0 where every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for name, module in PARTS.items():
        module.add_arguments(parts.add_parser(name, help=(module.__doc__ or "").splitlines()[0]))
    parts.add_parser("all", help="one after the other, as they are by default")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    if args.part != "all":
        return 0 if PARTS[args.part].main(args) else 1
    kept = [PARTS[name].main(parser.parse_args([name])) for name in PARTS]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
