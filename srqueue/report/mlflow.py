"""A training as a run of MLflow, after the fact."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from srqueue.errors import SrqueueError, UsageError
from srqueue.report.flat import config, figures, steps
from srqueue.report.subject import Subject

EXPERIMENT = "srqueue"
_Item = TypeVar("_Item")
_AT_ONCE = 500  # figures a call; the servers' limit is 1,000
_PARAMS_AT_ONCE = 100  # the same of parameters
_LONGEST = 500  # characters of a parameter


def to_mlflow(subject: Subject, folder: Path) -> str:
    """Logs a job; says where it went. Server and credentials are MLflow's own MLFLOW_* variables.

    Without MLFLOW_TRACKING_URI it goes into files below `folder`. Raises UsageError without the extra
    `mlflow`, SrqueueError where MLflow refuses.
    """
    if find_spec("mlflow") is None:
        raise UsageError("this needs MLflow", hint="pip install 'srqueue[mlflow]'")
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    uri = os.environ.get("MLFLOW_TRACKING_URI") or _files(folder)
    begun = int(1000 * (next((t.begun for t in subject.tries if t.begun), 0.0) or 0.0))
    try:
        client = MlflowClient(tracking_uri=uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        known = client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else client.create_experiment(name)
        run = client.create_run(experiment, start_time=begun or None, run_name=subject.label).info.run_id
        params = [Param(_key(k), str(v)[:_LONGEST]) for k, v in config(subject).items()]
        for some in _parts(params, _PARAMS_AT_ONCE):
            client.log_batch(run, params=some)
        metrics = [
            Metric(_key(key), value, begun + int(3.6e6 * hours), it)
            for it, hours, values in steps(subject)
            for key, value in values.items()
        ]
        last = begun + int(3.6e6 * subject.history.hours)
        final = [
            Metric(_key(f"final/{k}"), v, last, subject.history.iteration)
            for k, v in figures(subject).items()
        ]
        for points in _parts([*metrics, *final], _AT_ONCE):
            client.log_batch(run, metrics=points)
        client.log_batch(run, tags=[RunTag("srqueue.job", subject.id)])
        client.set_terminated(run, "FAILED" if subject.state == "failed" else "FINISHED", last or None)
    except (MlflowException, OSError) as error:
        told = str(error).splitlines()[0].replace(uri, _shown(uri))
        raise SrqueueError(f"MLflow did not take it: {told}", where=_shown(uri)) from None
    return f"run {run} of experiment {name} in {_shown(uri)}"


def _files(folder: Path) -> str:
    """MLflow asks to be told that files are wanted: its default is a database."""
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute().as_uri()


def _shown(uri: str) -> str:
    """Without a password that may be in it."""
    head, at, tail = uri.rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else uri


def _key(text: str) -> str:
    """MLflow takes letters, digits and `_-. :/`."""
    return "".join(c if c.isalnum() or c in "_-. :/" else "_" for c in text)


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for i in range(0, len(items), size):
        yield items[i : i + size]
