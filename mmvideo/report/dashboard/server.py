"""The dashboard's web server: it reads, and answers no other host name than its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader

from mmvideo.report.dashboard.intervals import Intervals
from mmvideo.report.dashboard.runs import held_files
from mmvideo.report.dashboard.studies import Studies
from mmvideo.report.dashboard.views import study_detail, study_row
from mmvideo.report.vega import vega

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

LOOPBACK = ("127.0.0.1", "localhost")
OWN = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src data:"
)
REPORT = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
"""A report's page runs in a sandbox: whoever wrote it, it reads nothing of this server."""
HEADERS = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
    "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip
SERVED = {
    ".html": "text/html", ".png": "image/png", ".pdf": "application/pdf", ".csv": "text/csv",
    ".json": "application/json",
}  # fmt: skip
"""What of the reports is served, by its ending."""
FILES = {"dashboard.css": "text/css", "dashboard.js": "text/javascript"}


class Pages:
    """What is shown now. Of several browsers that ask at once, one waits for the other's reading."""

    def __init__(self, root: Path, reports: Path) -> None:
        self.studies, self.intervals = Studies(root, reports), Intervals()
        self._lock = Lock()

    def listing(self) -> dict[str, Any]:
        """All studies."""
        with self._lock:
            rows = [study_row(state, self.studies.reports) for state in self.studies.all()]
        return {"root": str(self.studies.root), "studies": rows}

    def study(self, name: str) -> dict[str, Any] | None:
        """One study; None: there is none of this name."""
        with self._lock:
            folder = next((path for path in self.studies.folders() if path.name == name), None)
            if folder is None:
                return None
            state = self.studies.state(folder, held_files())
            arms, troubles = self.intervals.of(state)
            return study_detail(state, study_row(state, self.studies.reports), arms, troubles)


def app(root: Path, reports: Path, names: Sequence[str] = LOOPBACK) -> Starlette:
    """The server's application.

    Args:
        root: the folder of studies.
        reports: the folder of their reports.
        names: host names that a browser may call it by; others are refused, so that no web page that lets
            its own name point here can read it.
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Route

    pages = Pages(root, reports)

    def listing(request: Request) -> Response:
        return JSONResponse(pages.listing(), headers=HEADERS)

    def study(request: Request) -> Response:
        found = pages.study(request.path_params["name"])
        if found is None:
            return PlainTextResponse("There is no such study.", 404, HEADERS)
        return JSONResponse(found, headers=HEADERS)

    return Starlette(
        routes=[
            Route("/", _page),
            Route("/vega.js", _vega),
            Route("/api/studies", listing),
            Route("/api/studies/{name}", study),
            Route("/reports/{path:path}", lambda request: _report(reports, request.path_params["path"])),
            Route("/{file}", _file),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(names), www_redirect=False)],
    )


def _page(request: Request) -> Response:
    from starlette.responses import HTMLResponse

    return HTMLResponse(_rendered("dashboard.html"), headers=HEADERS | {"Content-Security-Policy": OWN})


def _file(request: Request) -> Response:
    from starlette.responses import PlainTextResponse

    name = request.path_params["file"]
    if name not in FILES:
        return PlainTextResponse("There is no such page.", 404, HEADERS)
    return PlainTextResponse(_rendered(name), headers=HEADERS, media_type=FILES[name])


def _vega(request: Request) -> Response:
    from starlette.responses import PlainTextResponse

    held = HEADERS | {"Cache-Control": "max-age=86400"}
    return PlainTextResponse(str(vega()), headers=held, media_type="text/javascript")


def _report(reports: Path, wanted: str) -> Response:
    """A file below the folder of reports, links followed."""
    from starlette.responses import FileResponse, PlainTextResponse

    top = reports.resolve()
    try:
        file = (top / wanted).resolve()
        fine = file.is_relative_to(top) and file.suffix in SERVED and file.is_file()
    except (OSError, ValueError):  # a name that no file can have
        fine = False
    if not fine:
        return PlainTextResponse("There is no such report.", 404, HEADERS)
    return FileResponse(
        file, media_type=SERVED[file.suffix], headers=HEADERS | {"Content-Security-Policy": REPORT}
    )


@cache
def _rendered(name: str) -> str:
    here = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader([here, here.parent]), autoescape=True, trim_blocks=True)
    return environment.get_template(f"{name}.j2").render()
