"""Names that are not hosted here: a pull-through cache of one upstream index.

So one ``--index-url`` installs a project with its dependencies, also while the upstream is away. A hosted name never
comes here unless its project says so: two indexes side by side for one name would bring back the wheel that crashes.

::

    index.py      which index, and how it is reached
    client.py     the HTTP client: pages, files, ranges; credentials
    reading.py    what the upstream sent, as it may stand on a page of ours (pure)
    freshness.py  how long a page is good for (pure)
    flights.py    what many ask for at once is done once
    pages.py      pages: from memory, from disk, revalidated or fetched
    downloads.py  files on their way: fetched once, read by everybody who asks meanwhile
    ranges.py     which bytes a request asks for (pure)
    parts.py      parts of files that are not here, for who looks into a wheel
    metadata.py   METADATA where the upstream has none beside its wheels
    prefetching.py  pages that are asked for next
    known.py      what was found out about files: METADATA, needs
    inspecting.py wheels that were cached, inspected in the background
    listing.py    an upstream's page in the view of whoever asks (pure)
    passed.py     a page, a file: what the routes get (values)
    upstream.py   Upstream: all of it together
    routes.py     /upstream/{project}/{sha256}/{filename}
    api.py        what is told of such a project as JSON

Here is what a start needs to know: which index. The rest is loaded with the routes.
"""

from __future__ import annotations

from .index import UpstreamIndex, upstream_index, without_userinfo

__all__ = ["UpstreamIndex", "upstream_index", "without_userinfo"]
