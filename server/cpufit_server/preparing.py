"""What a start settles before the server listens: whatever the settings get wrong is told at once.

Nothing heavy is loaded for it, so that the first pages can be out before the framework is there.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .front.keeping import ReadyFigures
from .logs import AccessLog
from .upload_settings import signature_verifier
from .upstream import UpstreamIndex, upstream_index

if TYPE_CHECKING:
    from cpufit_wheelhouse.signatures import SignatureVerifier

    from .metrics import Metrics
    from .settings import Settings
    from .watching import Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the parts of one server share from the start on."""

    base_url: str
    upstream: UpstreamIndex | None
    signatures: SignatureVerifier | None
    metrics: Metrics | None
    watchers: tuple[Watcher, ...]
    """Are told of each request."""
    ready: ReadyFigures = field(default_factory=ReadyFigures)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set as soon as the server is to stop: uploads that wait for their verdicts are held then and answered."""


def prepare(settings: Settings) -> Prepared:
    """Return what a server of these settings begins with.

    :raises MissingPublicUrl: it is to listen beyond loopback and nobody told the address that clients use
    :raises InvalidSetting: the upstream cannot be used, metrics are wanted and their library is not installed, or
        attestations are to be verified and the keys cannot be read
    """
    metrics = None if settings.metrics_port is None else _metrics()
    return Prepared(
        base_url=settings.base_url,
        upstream=upstream_index(settings),
        signatures=signature_verifier(settings),
        metrics=metrics,
        watchers=(*([AccessLog()] if settings.access_log else []), *([] if metrics is None else [metrics])),
    )


def _metrics() -> Metrics:
    from .metrics import Metrics  # noqa: PLC0415 - its library takes a tenth of the start, and is not always wanted

    return Metrics()
