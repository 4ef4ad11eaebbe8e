"""Scripts and styles: ours, and plotly's out of its own package. Nothing comes from another machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tornado.web import StaticFileHandler

STATIC = Path(__file__).parent / "static"
PLOTLY = "plotly.min.js"


class StaticFiles(StaticFileHandler):
    """Files of `static/`, and plotly.min.js."""

    def set_extra_headers(self, path: str) -> None:
        """A browser asks whether it changed."""
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")


def plotly_folder() -> Path | None:
    """Where the installed plotly has its script; the package itself is not imported."""
    found = find_spec("plotly")
    places = found.submodule_search_locations if found else None
    folders = [Path(place) / "package_data" for place in places or ()]
    return next((folder for folder in folders if (folder / PLOTLY).is_file()), None)
