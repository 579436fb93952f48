"""The settings of what passes through: how the upstream is asked, and what is kept of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .environment import FromEnvironment


class UpstreamSettings(FromEnvironment):
    """What a person may decide about the upstream of one server; a part of its settings."""

    upstream_timeout: float = Field(
        default=20.0, gt=0, description="Seconds to wait for the upstream index to say something."
    )
    upstream_max_page_bytes: int = Field(
        default=32 * 1024**2, ge=1, description="The largest upstream page read, in bytes."
    )
    upstream_max_requests: int = Field(
        default=8, ge=1, description="The most upstream pages, and parts of files, read at the same time; others wait."
    )
    upstream_max_downloads: int = Field(
        default=16, ge=1, description="The most upstream files fetched at the same time; others wait."
    )
    upstream_max_waiting: int = Field(
        default=256, ge=0, description="The most upstream files that wait to be fetched; beyond it, 502."
    )
    upstream_max_file_bytes: int = Field(
        default=8 * 1024**3, ge=1, description="The largest upstream file fetched, in bytes."
    )
    upstream_offline: bool = Field(
        default=False, description="Whether only what is cached of the upstream is listed, and nothing is fetched."
    )
    upstream_fresh_seconds: float = Field(
        default=60.0, ge=0, description="Seconds that an upstream page is used without asking, if it does not say."
    )
    upstream_max_fresh_seconds: float = Field(
        default=600.0, ge=0, description="The most seconds that it is used without asking, whatever it says."
    )
    upstream_stale_seconds: float = Field(
        default=7 * 86400.0, ge=0, description="Seconds that a stored page stands in for an upstream that fails."
    )
    upstream_pages_bytes: int = Field(
        default=1024**3, ge=0, description="What the stored upstream pages take on disk, in bytes."
    )
    upstream_cache_bytes: int = Field(
        default=20 * 1024**3, ge=0, description="What the cached upstream files take on disk, in bytes."
    )
    upstream_memory_bytes: int = Field(
        default=64 * 1024**2, ge=0, description="The most bytes of rendered upstream pages kept in memory."
    )
    upstream_memory_files: int = Field(
        default=50_000, ge=0, description="The most entries of upstream pages kept in memory."
    )
    upstream_reserved: str | None = Field(
        default=None, description="Names that are never asked upstream: patterns such as 'acme-*', joined by commas."
    )
    upstream_metadata: bool = Field(
        default=True, description="Whether METADATA is read out of upstream wheels that have none beside them."
    )
    upstream_metadata_wait: float = Field(
        default=10.0,
        ge=0,
        description="Seconds after a look into an upstream wheel until its METADATA is read, if it is not fetched.",
    )
    upstream_prefetch: int = Field(
        default=32, ge=0, description="The most pages of what an upstream wheel requires that are fetched ahead."
    )
    upstream_inspect: bool = Field(
        default=False, description="Whether the machine code of upstream wheels is read once they are cached."
    )
    upstream_inspect_waiting: int = Field(
        default=64, ge=1, description="The most upstream wheels that wait for their inspection; others when next read."
    )
    upstream_unknown: Literal["allow", "hold"] = Field(
        default="allow", description="What becomes of upstream wheels whose need is unknown: 'allow' or 'hold' them."
    )
    upstream_hold_wheels: int = Field(
        default=16, ge=0, description="The most held wheels of a newest release fetched to be inspected, for a page."
    )
