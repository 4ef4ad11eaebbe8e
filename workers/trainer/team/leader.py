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
from workers.trainer.team.exchange import (
    LEADER,
    Weights,
    join,
    pack_gradients,
    part,
    send_crops,
    unpack_gradients,
)

NO_MEMORY = 3
"""Exit status of a follower on whose device a single crop does not fit."""

_LONE_SECONDS = 10.0
"""From a follower's death to the leader's own end, should it then hang in an exchange."""


class TeamBroken(SrqueueError):
    """A follower has ended; the attempt cannot go on."""


class Team:
    """The followers of a job on `devices[1:]`; this process has `devices[0]`. `close` ends them."""

    def __init__(self, run: RunDir, attempt: AttemptDir, devices: Sequence[torch.device]) -> None:
        """Starts them on the run's resolved spec, and waits until they have come."""
        self._count = len(devices)
        self._meeting = meeting = attempt.path / "meeting"
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        self._followers = [
            subprocess.Popen(
                [sys.executable, "-m", "workers.trainer.team", str(run.resolved_file), str(meeting),
                 "--rank", str(rank), "--of", str(self._count), "--device", str(devices[rank])],
                stdin=subprocess.PIPE,
            )
            for rank in range(1, self._count)
        ]  # fmt: skip
        self._closed = False
        threading.Thread(target=self._watch, name="followers", daemon=True).start()
        try:
            join(meeting, LEADER, self._count, devices[0].type == "cuda")
        except BaseException:
            self.close()
            raise

    def give_out(
        self, lr: Tensor, hr: Tensor, net: nn.Module, loss_weights: Sequence[float], scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sends each follower its part of a batch and what to compute with; the leader's own part.

        `scale` [1]: what fp16 multiplies the loss by.
        """
        with self._together():
            header = torch.tensor(
                [len(lr), lr.shape[-1], hr.shape[-1], torch.default_generator.initial_seed()]
            )
            dist.broadcast(header, LEADER)
            dist.broadcast(torch.tensor(loss_weights, dtype=torch.float64), LEADER)
            dist.broadcast(Weights(net).pack(scale), LEADER)
            for rank in range(1, self._count):
                theirs = part(len(lr), self._count, rank)
                send_crops(lr[theirs], rank)
                send_crops(hr[theirs], rank)
        own = part(len(lr), self._count, LEADER)
        return lr[own], hr[own]

    def add_up(self, gradients: Sequence[Tensor | None], values: Tensor) -> Tensor:
        """Adds the followers' gradients to these, in place; the values of the losses of the whole batch."""
        packed = pack_gradients(gradients, values)
        with self._together():
            dist.reduce(packed, LEADER)
        return unpack_gradients(packed, gradients, len(values))

    def close(self) -> None:
        """Ends the followers, who have nothing to keep."""
        self._closed = True
        for follower in self._followers:
            follower.kill()
        for follower in self._followers:
            follower.wait()
            if follower.stdin is not None:
                follower.stdin.close()
        with contextlib.suppress(OSError):
            self._meeting.unlink(missing_ok=True)
        if dist.is_initialized():
            with contextlib.suppress(RuntimeError):
                dist.destroy_process_group()

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise self._why() or error from error

    def _why(self) -> Exception | None:
        """What became of the followers, in the words of the outcome."""
        limit = time.monotonic() + 1.0  # the connection goes before the process
        while time.monotonic() < limit:
            for rank, follower in enumerate(self._followers, 1):
                status = follower.poll()
                if status == NO_MEMORY:
                    return torch.OutOfMemoryError(f"a single crop does not fit on device {rank} of this job")
                if status is not None:
                    return TeamBroken(
                        f"process {rank} of the {self._count} of this job ended: status {status}"
                    )
            time.sleep(0.05)
        return None

    def _watch(self) -> None:
        """NCCL may wait for a dead one for ever."""
        while not self._closed:
            if any(follower.poll() is not None for follower in self._followers):
                time.sleep(_LONE_SECONDS)
                if not self._closed:
                    print(
                        "error: a process of this job has ended, and the exchange with it hangs", flush=True
                    )
                    os._exit(1)
            time.sleep(0.5)
