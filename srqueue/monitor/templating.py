"""Templates: ours first, then Flower's; its navigation bar gets one tab more."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from tornado.template import Loader, Template

OURS = Path(__file__).parent / "templates"

log = logging.getLogger(__name__)

_BAR = "navbar.html"
_LIST = '<ul class="app-nav navbar-nav">'
_TAB = """
        <li class="nav-item">
          <a class="nav-link{% if active_tab == 'training' %} active{% end %}"
            href="{{ reverse_url('training') }}"
            {% if active_tab == 'training' %}aria-current="page"{% end %}>Training</a>
        </li>"""


class TrainingLoader(Loader):
    """Looks into our folder, then into Flower's."""

    def __init__(self, root: str, **more: Any) -> None:
        super().__init__(root, **more)
        self._flower = Path(root)

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Names are those of files in one of two flat folders."""
        return name

    def _create_template(self, name: str) -> Template:
        ours = OURS / name
        text = (ours if ours.is_file() else self._flower / name).read_text(encoding="utf-8")
        return Template(with_tab(text) if name == _BAR else text, name=name, loader=self)


def with_tab(bar: str) -> str:
    """Flower's navigation bar with the tab Training before its own; as it is where it has another form."""
    if _LIST not in bar:
        log.warning("Flower's navigation bar has another form: the Training page is at /training only")
        return bar
    return bar.replace(_LIST, _LIST + _TAB, 1)
