"""Metrics for Prometheus, on a port of their own.

They tell how much is hosted and who asks for it, so they are not on the port that a proxy shows to the world, and need
no token there. No label takes a value from a project, a file, an address or whatever else a client may choose: the
number of series is bounded by the code.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .environment import PREFIX
from .errors import InvalidSetting
from .watching import Exchange

if TYPE_CHECKING:
    from prometheus_client import Metric

    from cpufit_wheelhouse.inspection.workers import InspectionFigures

    from .front.keeping import ReadyFigures
    from .services import Services
    from .settings import Settings

try:
    import prometheus_client
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
except ImportError:  # an extra
    prometheus_client = None  # type: ignore[assignment]

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
"""Seconds. A page out of memory takes about one millisecond, an upload with its inspection up to minutes."""
_OF_THE_PORT = frozenset({errno.EADDRINUSE, errno.EACCES})
"""Why nothing can listen though the address is one of this machine's."""


class Metrics:
    """The metrics of one server; a watcher of :mod:`.watching`."""

    def __init__(self) -> None:
        """Make the counters.

        :raises InvalidSetting: the client library of Prometheus is not installed
        """
        if prometheus_client is None:
            raise InvalidSetting(
                "metrics need prometheus-client, which is not installed",
                where=f"{PREFIX}METRICS_PORT",
                hint="pip install 'cpufit[metrics]'",
            )
        self._registry = prometheus_client.CollectorRegistry()
        labels = ("route", "method", "status", "client")
        self._requests = prometheus_client.Counter(
            "cpufit_requests", "Requests answered.", labels, registry=self._registry
        )
        self._seconds = prometheus_client.Histogram(
            "cpufit_request_seconds",
            "From a request's head to the last byte of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._bytes = prometheus_client.Counter(
            "cpufit_response_bytes", "Bytes of answers' bodies sent.", ("route",), registry=self._registry
        )
        self._uploads = prometheus_client.Counter(
            "cpufit_uploads",
            "Uploads by what became of them: taken, held, or the error's code.",
            ("outcome",),
            registry=self._registry,
        )
        for collector in (
            prometheus_client.ProcessCollector,
            prometheus_client.PlatformCollector,
            prometheus_client.GCCollector,
        ):
            collector(registry=self._registry)

    def __call__(self, exchange: Exchange) -> None:
        """Count one exchange."""
        route = exchange.route
        self._requests.labels(route, exchange.method, str(exchange.status), exchange.client).inc()
        self._seconds.labels(route).observe(exchange.seconds)
        self._bytes.labels(route).inc(exchange.size)
        if exchange.method == "POST" and route.startswith("/legacy"):
            self._uploads.labels(exchange.outcome or "unfinished").inc()

    @contextlib.contextmanager
    def served(self, settings: Settings, services: Services, ready: ReadyFigures) -> Iterator[None]:
        """Tell the metrics at ``/metrics`` of their own port while the block runs; does nothing without a port.

        :raises InvalidSetting: nothing can listen there, as where another process does
        """
        if settings.metrics_port is None:
            yield
            return
        collector = _Lazily(lambda: _of_services(services, ready))
        self._registry.register(collector)
        try:
            server, thread = prometheus_client.start_http_server(
                settings.metrics_port, settings.metrics_host, self._registry
            )
        except OSError as error:
            port = error.errno in _OF_THE_PORT
            raise InvalidSetting(
                f"metrics cannot be told at {settings.metrics_host}:{settings.metrics_port}: {error.strerror}",
                where=f"{PREFIX}METRICS_PORT" if port else f"{PREFIX}METRICS_HOST",
                hint="worker N takes the port plus N" if port else "choose an address that this machine has",
            ) from error
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Lazily:
    """A collector that asks when it is asked."""

    def __init__(self, ask: Callable[[], Iterable[Metric]]) -> None:
        self.collect = ask

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering asks nobody."""
        return ()


def _of_services(services: Services, ready: ReadyFigures) -> Iterator[Metric]:
    """Yield what is known without counting requests: the page cache, inspections, and what the catalog holds."""
    cache = CounterMetricFamily(
        "cpufit_page_cache", "Answers sent ready, pages found, pages rendered.", labels=["outcome"]
    )
    hits, misses = services.pages.cache_figures
    cache.add_metric(["ready"], ready.hits)
    cache.add_metric(["hit"], hits)
    cache.add_metric(["miss"], misses)
    yield cache
    if services.pool is not None:
        yield from _of_inspections(services.pool.figures())
    figures = services.home.catalog.figures()
    yield GaugeMetricFamily("cpufit_projects", "Projects hosted.", value=figures.projects)
    files = GaugeMetricFamily("cpufit_files", "Files stored, hidden ones too.", labels=["kind"])
    for kind, count in figures.files.items():
        files.add_metric([kind], count)
    yield files
    yield GaugeMetricFamily("cpufit_file_bytes", "Bytes of these files.", value=figures.size)
    yield GaugeMetricFamily("cpufit_held_files", "Uploads that wait for their verdict.", value=figures.held)
    yield CounterMetricFamily(
        "cpufit_upload_commits",
        "Transactions of uploads; those that wait share one.",
        value=services.home.catalog.arrivals.commits,
    )
    yield CounterMetricFamily("cpufit_catalog_changes", "Changes of projects, all together.", value=figures.changes)


def _of_inspections(figures: InspectionFigures) -> Iterator[Metric]:
    yield GaugeMetricFamily("cpufit_inspections_queued", "Wheels that wait for a worker.", value=figures.queued)
    yield GaugeMetricFamily("cpufit_inspections_running", "Wheels under inspection.", value=figures.running)
    ended = CounterMetricFamily("cpufit_inspections", "Inspections by what came of them.", labels=["outcome"])
    for outcome, count in figures.ended.items():
        ended.add_metric([outcome], count)
    yield ended
    yield CounterMetricFamily("cpufit_inspection_seconds", "Seconds spent on inspections.", value=figures.seconds)
