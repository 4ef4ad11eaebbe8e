"""How the Training pages get into Flower 2.2: handlers, templates, a tab.

Flower has no plug-in interface; what is used of it is pinned in pyproject.toml and tested: the list
`flower.urls.handlers` (url_prefix is applied to what stands in it), the mapping `flower.urls.settings`
(arguments of its Tornado application), `Flower.start` and `stop`, `flower.events.EventReceiver`, the names of
its templates and their blocks, and its options.
"""

from __future__ import annotations

from flower import urls
from tornado.options import options

from srqueue.monitor.backend import Backend
from srqueue.monitor.ending import end_in_time
from srqueue.monitor.exposure import refuse_open_doors
from srqueue.monitor.listening import listen_without_speaking
from srqueue.monitor.routes import routes
from srqueue.monitor.templating import TrainingLoader
from srqueue.settings import Settings


def install(settings: Settings) -> None:
    """Once in a process, before Flower makes its application."""
    urls.handlers[:0] = routes(Backend(settings))
    urls.settings["template_loader"] = TrainingLoader(urls.settings["template_path"])
    options.add_parse_callback(refuse_open_doors)
    end_in_time()
    listen_without_speaking()
