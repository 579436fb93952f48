"""The answer that carries a page: its headers, and that a client which has it need not get it again.

A page that lists a selector is ``no-store`` and never a 304: its addresses are new each time. Every other page has a
strong entity tag. The framework is not needed to say so, and the front says it without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from .negotiation import PLAIN_HTML_TYPE, Form

if TYPE_CHECKING:
    from starlette.requests import Request

    from .pages import RenderedPage

VARY_BY_CLIENT = "Accept, Accept-Encoding, User-Agent"
VARY = "Accept, Accept-Encoding"


def page_response(request: Request, page: RenderedPage, form: Form, *, shared: bool) -> Response:
    """Return the answer that carries a page, or says that the client has it.

    :param shared: the address alone decides what is on the page, so caches on the way may keep it for others
    """
    headers = {"Vary": VARY if shared else VARY_BY_CLIENT}
    if page.serial is not None:
        # As the index of pypi.org has it, for mirrors: it grows with each change of the project.
        headers["X-PyPI-Last-Serial"] = str(page.serial)
    if page.placeholder is not None:
        headers["Cache-Control"] = "no-store"
        page = page.refreshed().encoded(form.coding)
    else:
        headers["Cache-Control"] = "public, no-cache" if shared else "private, no-cache"
        headers["ETag"] = page.etag
        if is_known(request.headers.get("if-none-match"), page.etag):
            return Response(status_code=304, headers=headers)
    if page.coding is not None:
        headers["Content-Encoding"] = page.coding
    # PEP 691, "Content-Types": the type of the version that is sent, also to who asked for "latest".
    charset = "; charset=utf-8" if page.media_type == PLAIN_HTML_TYPE else ""
    headers["Content-Type"] = page.media_type + charset
    return Response(page.body, headers=headers)


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Tell whether a client has this version (RFC 9110, section 13.1.2: compared weakly)."""
    if if_none_match is None:
        return False
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or etag in known
