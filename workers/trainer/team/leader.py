"""The leader's side: it starts the followers, gives out every batch and adds up the gradients."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from srqueue.errors import SrqueueError
from srqueue.run.folder import AttemptDir, RunDir
from workers.trainer import heart
from workers.trainer.team.exchange import (
    LEADER,
    Weights,
    here,
    join,
    pack_gradients,
    part,
    send_crops,
    unpack_gradients,
)

NO_MEMORY = 3
"""Exit status of a follower on whose device a single crop does not fit."""

MEETING = 300.0
"""Seconds for the followers to import torch and to reach their devices."""

_LONE_SECONDS = 10.0
"""From a follower's death to the leader's own end, where an exchange with it hangs."""


class TeamBroken(SrqueueError):
    """A follower has ended, or does not come; the attempt cannot go on."""


class Team:
    """The followers of a job on `devices[1:]`; this process has `devices[0]`. `close` ends them."""

    def __init__(self, run: RunDir, attempt: AttemptDir, devices: Sequence[torch.device]) -> None:
        """Starts them on the run's resolved spec. Raises TeamBroken where one does not come."""
        self._count, self._cuda = len(devices), devices[0].type == "cuda"
        self._meeting = attempt.path / "meeting"
        self._followers: list[subprocess.Popen[bytes]] = []
        self._since: float | None = None  # when the exchange that goes on was begun
        self._closed = False
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        try:
            for rank in range(1, self._count):
                self._followers.append(self._start(run, rank, devices[rank]))
            self._wait_for_all()
            threading.Thread(target=self._watch, name="followers", daemon=True).start()
            with self._together():
                join(self._meeting, LEADER, self._count, self._cuda)
        except BaseException:
            self.close()
            raise

    def _start(self, run: RunDir, rank: int, device: torch.device) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "workers.trainer.team", str(run.resolved_file), str(self._meeting),
             "--rank", str(rank), "--of", str(self._count), "--device", str(device)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the leader
        )  # fmt: skip

    def _wait_for_all(self) -> None:
        limit = time.monotonic() + MEETING
        while not all(here(self._meeting, rank).exists() for rank in range(1, self._count)):
            if (why := self._ended()) is not None:
                raise why
            if time.monotonic() > limit:
                raise TeamBroken(
                    f"the {self._count} processes of this job did not meet within {MEETING:.0f} s"
                )
            heart.beat()
            time.sleep(0.05)

    def give_out(
        self,
        lr: Tensor,
        hr: Tensor,
        net: nn.Module,
        loss_weights: Sequence[float],
        scale: Tensor,
        micro_batch: int,
    ) -> tuple[Tensor, Tensor]:
        """Sends each follower its part of a batch and what to compute with; the leader's own part.

        `scale` [1]: what fp16 multiplies the loss by.
        """
        with self._together():
            seed = torch.default_generator.initial_seed()
            header = torch.tensor([len(lr), lr.shape[-1], hr.shape[-1], seed, micro_batch])
            dist.broadcast(header, LEADER)
            dist.broadcast(torch.tensor(loss_weights, dtype=torch.float64), LEADER)
            dist.broadcast(Weights(net).pack(scale), LEADER)
            for rank in range(1, self._count):
                theirs = part(len(lr), self._count, rank)
                send_crops(lr[theirs], rank)
                send_crops(hr[theirs], rank)
        own = part(len(lr), self._count, LEADER)
        return lr[own], hr[own]

    def add_up(
        self, gradients: Sequence[Tensor | None], values: Tensor, micro_batch: int
    ) -> tuple[Tensor, int]:
        """Adds the followers' gradients to these, in place.

        The values of the losses of the whole batch, and the smallest micro-batch that a device had to take.
        """
        packed, smallest = pack_gradients(gradients, values), torch.tensor([micro_batch])
        with self._together():
            dist.reduce(smallest, LEADER, dist.ReduceOp.MIN)
            dist.reduce(packed, LEADER)
        return unpack_gradients(packed, gradients, len(values)), int(smallest)

    def close(self) -> None:
        """Ends the followers, who have nothing to keep. Said twice it does nothing."""
        if self._closed:
            return
        self._closed = True
        for follower in self._followers:
            follower.kill()
        for follower in self._followers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                follower.wait(_LONE_SECONDS)
            if follower.stdin is not None:
                follower.stdin.close()
        for file in (self._meeting, *(here(self._meeting, rank) for rank in range(1, self._count))):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
        # NCCL would wait for the others, who are gone; this process ends soon.
        if dist.is_initialized() and not self._cuda:
            with contextlib.suppress(RuntimeError):
                dist.destroy_process_group()

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        self._since = time.monotonic()
        try:
            yield
        except RuntimeError as error:
            raise self._why() or error from error
        finally:
            self._since = None

    def _why(self) -> Exception | None:
        """What became of the followers, in the words of the outcome."""
        limit = time.monotonic() + 1.0  # the connection goes before the process
        while time.monotonic() < limit:
            if (why := self._ended()) is not None:
                return why
            time.sleep(0.05)
        return None

    def _ended(self) -> Exception | None:
        for rank, follower in enumerate(self._followers, 1):
            status = follower.poll()
            if status == NO_MEMORY:
                return torch.OutOfMemoryError(f"a single crop does not fit on device {rank} of this job")
            if status is not None:
                return TeamBroken(f"process {rank} of the {self._count} of this job ended: status {status}")
        return None

    def _watch(self) -> None:
        """Ends this process where it waits in an exchange for one that is dead: NCCL would do so for ever."""
        while not self._closed:
            since, dead = self._since, self._ended()
            if dead is not None and since is not None and time.monotonic() - since > _LONE_SECONDS:
                print(f"error: {dead}, and the exchange with it hangs", flush=True)
                os._exit(1)
            time.sleep(0.5)
