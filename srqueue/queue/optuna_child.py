"""Asks Optuna for the next cells of a search: a process of its own, which alone loads it.

It is run by its path and imports nothing of srqueue. On stdin it gets one JSON object: `url` (it may hold a
password: no command line has it) and `prefix` of the study's journal in Redis, `sampler`, `seed`, `space`
(key -> {kind: values}), `known` (the trials that are cells already, by number: params, state, at, value) and
`wanted`, how many new ones. On stdout it writes one line: a list of {number, params}.

The study is a journal in Redis (optuna.storages). What it lacks of the known trials is added to it; one that
it has and that is no cell is what an asker left behind that died: it is handed out again.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_NUMBER = "srqueue:number"


def main() -> int:
    """Reads, tells, asks, answers."""
    import warnings

    warnings.simplefilter("ignore")  # what Optuna calls experimental
    import optuna
    import redis
    from optuna.storages.journal import JournalRedisBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    given = json.load(sys.stdin)
    backend = JournalRedisBackend(given["url"], prefix=given["prefix"])
    journal: Any = _Journal(backend, redis.Redis.from_url(given["url"]), given["prefix"])
    storage = optuna.storages.JournalStorage(journal)
    study = optuna.create_study(
        study_name=given["prefix"], storage=storage, direction="maximize", load_if_exists=True,
        pruner=optuna.pruners.NopPruner(),
    )  # fmt: skip
    space = {key: _distribution(optuna, one) for key, one in given["space"].items()}
    known = {row["number"]: row for row in given["known"]}
    for number in sorted(known.keys() - {_number(trial) for trial in study.trials}):
        _add(optuna, study, space, known[number])
    free: list[dict[str, Any]] = []
    states = optuna.trial.TrialState
    complete = {_number(trial) for trial in study.trials if trial.state is states.COMPLETE}
    for trial in study.trials:
        row = known.get(_number(trial))
        if row is not None and trial.state is states.PRUNED:
            if row["state"] == "complete" and row["number"] not in complete:
                _add(optuna, study, space, row)  # it went on from its rung: what was told of it stands
        elif row is not None:
            _tell(optuna, study, trial, row)
        elif trial.state is optuna.trial.TrialState.RUNNING:
            free.append({"number": _number(trial), "params": trial.params})
    free = free[: given["wanted"]]
    while len(free) < given["wanted"]:
        free.append(_ask(optuna, study, space, given))
    sys.stdout.write(json.dumps(free) + "\n")
    return 0


class _Journal:
    """The lines of a journal and nothing else: Optuna keeps snapshots as pickles, and Redis holds none.

    Lines are written without EVAL, which no user of a hardened Redis has.
    """

    def __init__(self, backend: Any, client: Any, prefix: str) -> None:
        self.read_logs, self._client, self._prefix = backend.read_logs, client, prefix

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Each line with its number, whole or not at all; again where somebody else wrote meanwhile."""
        last = f"{self._prefix}:log_number"

        def write(pipeline: Any) -> None:
            begin = int(pipeline.get(last) or -1) + 1
            pipeline.multi()
            for number, line in enumerate(logs, begin):
                pipeline.set(f"{self._prefix}:log:{number}", json.dumps(line))
            pipeline.set(last, begin + len(logs) - 1)

        if logs:
            self._client.transaction(write, last)


def _number(trial: Any) -> int:
    return int(trial.user_attrs.get(_NUMBER, trial.number))


def _ask(optuna: Any, study: Any, space: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    number = max((_number(trial) for trial in study.trials), default=-1) + 1
    # Each from a seed of its own: how many are asked for at once, and by whom, changes nothing.
    seed = (given["seed"] * 1_000_003 + number) % 2**32
    samplers = {"tpe": optuna.samplers.TPESampler, "cmaes": optuna.samplers.CmaEsSampler}
    study.sampler = samplers[given["sampler"]](seed=seed)
    trial = study.ask(space)
    trial.set_user_attr(_NUMBER, number)
    return {"number": number, "params": trial.params}


def _add(optuna: Any, study: Any, space: dict[str, Any], row: dict[str, Any]) -> None:
    """A trial that the journal has lost, as one that runs; or the end of one that was told as pruned."""
    states, done = optuna.trial.TrialState, row["state"] == "complete"
    trial = optuna.trial.create_trial(
        state=states.COMPLETE if done else states.RUNNING, value=row["value"] if done else None,
        params=row["params"], distributions=space, user_attrs={_NUMBER: row["number"]},
        intermediate_values={int(step): value for step, value in row["at"].items()} if done else None,
    )  # fmt: skip
    study.add_trial(trial)


def _tell(optuna: Any, study: Any, trial: Any, row: dict[str, Any]) -> None:
    """What it reached at rungs, and how it ended."""
    states = optuna.trial.TrialState
    if trial.state is not states.RUNNING:
        return
    live = optuna.trial.Trial(study, trial._trial_id)
    for step, value in sorted((int(k), v) for k, v in row["at"].items()):
        if step not in trial.intermediate_values:
            live.report(value, step)
    if row["state"] == "complete":
        study.tell(trial.number, row["value"])
    elif row["state"] == "pruned" and row["at"]:
        study.tell(trial.number, state=states.PRUNED)
    elif row["state"] in ("pruned", "fail"):
        study.tell(trial.number, state=states.FAIL)


def _distribution(optuna: Any, one: dict[str, Any]) -> Any:
    ((kind, values),) = one.items()
    kinds = optuna.distributions
    if kind == "choice":
        return kinds.CategoricalDistribution(
            [value if _plain(value) else json.dumps(value) for value in values]
        )
    if kind == "int":
        return kinds.IntDistribution(*values)
    return kinds.FloatDistribution(*values, log=kind == "log")


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


if __name__ == "__main__":
    raise SystemExit(main())
