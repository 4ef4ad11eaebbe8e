"""Where the specs of jobs differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from srqueue.report.subject import Subject
from srqueue.spec.layers import leaves

_ABSENT = "-"


def spec_rows(subject: Subject) -> list[tuple[str, str, str]]:
    """(path, value, origin) of every value of a spec."""
    from srqueue.spec.layers import origin_of

    return [(path, shown(value), origin_of(subject.origins, path)) for path, value in leaves(subject.spec)]


def spec_differences(subjects: Sequence[Subject]) -> list[tuple[str, list[str]]]:
    """(path, value of each job) of every value that is not the same in all; names of jobs are left out."""
    trees = [dict(leaves(s.spec)) for s in subjects]
    paths = dict.fromkeys(path for tree in trees for path in tree)
    rows = []
    for path in paths:
        values = [shown(tree[path]) if path in tree else _ABSENT for tree in trees]
        if path != "name" and len(set(values)) > 1:
            rows.append((path, values))
    return rows


def shown(value: Any) -> str:
    """A value of a spec for a table."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
