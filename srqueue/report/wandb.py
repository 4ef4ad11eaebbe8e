"""A finished or running training as a run of Weights & Biases, after the fact."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from srqueue.errors import SrqueueError, UsageError
from srqueue.report.flat import config, figures, steps
from srqueue.report.subject import Subject

PROJECT = "srqueue"


def to_wandb(subject: Subject, folder: Path) -> str:
    """Logs a job; says where it went. Key, project, server and mode are W&B's own WANDB_* variables.

    Without WANDB_API_KEY and WANDB_MODE nothing is sent: an offline run is laid into `folder`. Raises
    UsageError without the extra `wandb`, SrqueueError where W&B refuses.
    """
    if find_spec("wandb") is None:
        raise UsageError("this needs wandb", hint="pip install 'srqueue[wandb]'")
    import wandb

    mode = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=subject.label,
            id=subject.id.lower(),
            resume="never" if mode == "online" else None,  # its history would be there twice
            mode=mode,
            dir=str(folder),
            config=config(subject),
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True,
                x_disable_meta=True, x_save_requirements=False,
            ),
        )  # fmt: skip
        run.define_metric("iteration")
        run.define_metric("*", step_metric="iteration")
        for it, hours, values in steps(subject):
            run.log({"iteration": it, "hours": hours, **values})
        run.summary.update(figures(subject))
        where, offline = run.dir, run.offline
        run.finish()
    except (wandb.Error, OSError, ValueError) as error:
        raise SrqueueError(f"W&B did not take it: {error}", hint="WANDB_MODE=offline sends nothing") from None
    where = str(Path(where).parent)
    return f"an offline run: {where} (send it: wandb sync {where})" if offline else str(run.url)
