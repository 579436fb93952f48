"""The settings: name, default and meaning of each, read once from ``CPUFIT_*`` and then passed in.

``docs/reference/settings.md`` is the table of them; a test holds the two together.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator

from cpufit_resolver.profile import MAX_TOKEN_LENGTH
from cpufit_wheelhouse.archive_limits import DEFAULT_LIMITS, ArchiveLimits
from cpufit_wheelhouse.catalog.records import BelowVerdict

from .environment import PREFIX
from .errors import InvalidSetting, MissingPublicUrl
from .logs import LogFormat, LogLevel
from .upload_settings import UploadSettings
from .upstream_settings import UpstreamSettings

PIP_UPSTREAM = "pip"
"""The value of ``upstream`` that stands for the index which pip uses on this machine."""


def _default_home() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415  # whoever says where the home is does not wait for it

    return user_data_path("cpufit", appauthor=False)


class Settings(UploadSettings, UpstreamSettings):
    """What a person may decide about one server."""

    home: Path = Field(
        default_factory=_default_home, description="The folder with the catalog, the blobs and the staging area."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="The TCP port to listen on.")
    workers: int = Field(
        default=1, ge=1, le=256, description="Processes that serve; each has memory and inspections of its own."
    )
    worker_restarts_per_minute: int = Field(
        default=10, ge=0, description="The most workers replaced in a minute; when more die, the server ends."
    )
    public_url: str | None = Field(
        default=None,
        description="The address under which clients reach this server; selectors carry it. Required off loopback.",
    )
    upstream: str | None = Field(
        default=None,
        description="The index that is asked for names not hosted here: an address, or 'pip' for the one pip uses.",
    )
    max_upload_bytes: int = Field(default=1024**3, ge=1, description="The largest file taken, in bytes.")
    max_form_field_bytes: int = Field(
        default=1024**2, ge=1, description="The longest form field of an upload, in bytes."
    )
    max_form_fields: int = Field(default=10_000, ge=1, description="The most form fields of one upload.")
    max_request_bytes: int = Field(
        default=64 * 1024, ge=1, description="The longest body of a request to the JSON API, in bytes."
    )
    max_token_length: int = Field(
        default=MAX_TOKEN_LENGTH,
        ge=1,
        le=MAX_TOKEN_LENGTH,
        description="The longest CPU token read; a longer one counts as none.",
    )
    max_user_agent_length: int = Field(
        default=4096, ge=1, description="The longest User-Agent read; a longer one counts as none."
    )
    archive_max_members: int = Field(
        default=DEFAULT_LIMITS.max_members, ge=1, description="The most files in one wheel or source distribution."
    )
    archive_max_unpacked_bytes: int = Field(
        default=DEFAULT_LIMITS.max_unpacked_bytes, ge=1, description="What one file may unpack to, in bytes."
    )
    archive_max_ratio: int = Field(
        default=DEFAULT_LIMITS.max_ratio,
        ge=1,
        description="Unpacked to packed size, for files that unpack to more than 64 MiB.",
    )
    archive_max_record_bytes: int = Field(
        default=DEFAULT_LIMITS.max_record_bytes, ge=1, description="The largest RECORD, which is kept in memory."
    )
    archive_max_text_bytes: int = Field(
        default=DEFAULT_LIMITS.max_text_bytes,
        ge=1,
        description="The largest METADATA, WHEEL, variant.json or PKG-INFO, which are kept in memory.",
    )
    archive_max_directory_bytes: int = Field(
        default=DEFAULT_LIMITS.max_directory_bytes,
        ge=1,
        description="The largest directory of a zip, which is kept in memory.",
    )
    private_reading: bool = Field(
        default=False, description="Whether everything but /healthz is for tokens with the scope read alone."
    )
    inspect: bool = Field(default=True, description="Whether the machine code of wheels that come in is read.")
    below_verdict: BelowVerdict = Field(
        default="refuse",
        description="What becomes of a declared need or a label below the verdict: 'refuse' it, or 'raise' it.",
    )
    allow_import_only: bool = Field(
        default=False,
        description="Whether a wheel of which only the import fits is offered where nothing else is.",
    )
    inspection_patience: float = Field(
        default=30.0,
        ge=0,
        description="Seconds that an upload waits for its verdict; after that the file is held until it comes.",
    )
    inspection_workers: int = Field(default=1, ge=1, description="How many wheels are inspected at the same time.")
    inspection_threads: int = Field(default=2, ge=1, description="How many threads an inspection decodes with.")
    inspection_time_limit: float = Field(
        default=600.0, gt=0, description="Seconds that one inspection may take; then the verdict is undetermined."
    )
    inspection_memory_bytes: int = Field(
        default=8 * 1024**3, ge=1024**3, description="What the process of one inspection may allocate, in bytes."
    )
    inspection_max_library_bytes: int = Field(
        default=4 * 1024**3, ge=1, description="The largest native library read, in bytes."
    )
    inspection_max_libraries: int = Field(
        default=5_000, ge=1, description="The most native libraries of one wheel that are read."
    )
    inspection_idle_seconds: float = Field(
        default=60.0, gt=0, description="Seconds without work after which an inspection's process ends."
    )
    inspection_niceness: int = Field(
        default=10,
        ge=0,
        le=19,
        description="How far inspections stand behind other processes (nice), so that pages do not wait for them.",
    )
    probe: bool = Field(
        default=False,
        description="Whether wheels that come in are also imported on emulated CPUs, in a sandbox: it runs their code.",
    )
    probe_index: str | None = Field(
        default=None, description="Where a probe takes dependencies from; pip's own configuration where it is not set."
    )
    probe_find_links: Path | None = Field(
        default=None, description="A folder of wheels from which a probe takes dependencies before the index."
    )
    probe_smoke_folder: Path | None = Field(
        default=None, description="A folder of files PROJECT.py: Python that a probe runs after the import."
    )
    probe_arm64_root: Path | None = Field(
        default=None, description="An unpacked arm64 Debian with Python, for probes of arm64 wheels."
    )
    probe_time_limit: float = Field(default=300.0, gt=0, description="Seconds that one import of a probe may take.")
    probe_install_time_limit: float = Field(
        default=900.0, gt=0, description="Seconds that fetching the dependencies of a probe may take."
    )
    probe_install_bytes: int = Field(
        default=16 * 1024**3,
        ge=0,
        description="What a wheel and its dependencies may take while a probe lasts, in bytes.",
    )
    probe_memory_bytes: int = Field(
        default=16 * 1024**3,
        ge=1024**3,
        description="The address space of each process of a probe's import, and the memory of all of them, in bytes.",
    )
    probe_file_bytes: int = Field(
        default=256 * 1024**2,
        ge=0,
        description="The largest file of a probe's import, and what each of its folders in memory holds, in bytes.",
    )
    probe_processes: int = Field(default=256, ge=1, description="How many processes one import of a probe may have.")
    probe_max_cpus: int = Field(
        default=3, ge=1, le=3, description="How many CPUs a probe asks at most, besides controls."
    )
    page_cache_entries: int = Field(default=256, ge=1, description="The most rendered pages kept in memory.")
    page_cache_bytes: int = Field(
        default=64 * 1024**2, ge=0, description="The most bytes of rendered pages kept in memory."
    )
    front_entries: int = Field(
        default=4096, ge=1, description="The most answers kept ready to be sent without asking the framework."
    )
    front_bytes: int = Field(
        default=64 * 1024**2, ge=0, description="The most bytes of answers kept ready; rendered pages count here again."
    )

    wanted: bool = Field(default=True, description="Whether unmet demands are counted, without who asked.")
    wanted_flush_seconds: float = Field(
        default=60.0, gt=0, description="Seconds between two writes of counted demands; a kill loses what came since."
    )
    wanted_max_waiting: int = Field(
        default=10_000, ge=1, description="The most different demands in memory between two writes."
    )
    wanted_max_clients: int = Field(
        default=100_000, ge=1, description="The most askers told apart in a day; beyond it nothing more is counted."
    )
    wanted_max_rows: int = Field(
        default=100_000, ge=1, description="The most rows of counted demands; the oldest make room."
    )
    wanted_max_per_day: int = Field(default=1_000, ge=1, description="The most that one demand counts on one day.")
    wanted_keep_days: int = Field(default=365, ge=1, description="Days after which a counted demand is forgotten.")
    wanted_half_life_days: float = Field(
        default=30.0, gt=0, description="Days after which a demand counts for half as much in the ranking."
    )
    wanted_reports_per_minute: int = Field(
        default=60, ge=1, description="The most reports of selectors read in a minute, whoever sends them."
    )
    wanted_max_report_bytes: int = Field(default=8192, ge=1, description="The longest report read, in bytes.")

    access_log: bool = Field(
        default=True,
        description="Whether the log has a line for each request; it costs about twice what a page out of memory does.",
    )
    log_format: LogFormat = Field(
        default="text", description="The form of the log on standard error: 'text', or 'json' with one object a line."
    )
    log_level: LogLevel = Field(
        default="info",
        description="What is logged: 'debug', 'info' with a line for each request, 'warning' or 'error'.",
    )
    keep_alive_seconds: int = Field(
        default=75,
        ge=1,
        description="Seconds that a connection stays open without a request; installers come back to one.",
    )
    start_patience_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that a request waits for a server which listens and is not wholly there yet; then 503.",
    )
    stop_grace_seconds: int = Field(
        default=10, ge=0, description="Seconds that requests under way may take after the server was told to stop."
    )
    metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="A TCP port of its own for Prometheus metrics; none are kept without."
    )
    metrics_host: str = Field(
        default="127.0.0.1", min_length=1, description="The address on which metrics are told: to whoever reaches it."
    )

    @field_validator("public_url", "upstream", mode="after")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        text = value.strip().rstrip("/")
        if text == PIP_UPSTREAM:
            return text
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("write an address such as https://index.example/ without query or fragment")
        return text

    @field_validator("public_url", mode="after")
    @classmethod
    def _nothing_secret(cls, value: str | None) -> str | None:
        if value == PIP_UPSTREAM or (value is not None and "@" in urlsplit(value).netloc):
            raise ValueError("write the plain address: selectors carry it, and whoever installs can read it")
        return value

    @property
    def archive_limits(self) -> ArchiveLimits:
        """What a wheel or a source distribution may unpack to."""
        return ArchiveLimits(
            max_members=self.archive_max_members,
            max_unpacked_bytes=self.archive_max_unpacked_bytes,
            max_ratio=self.archive_max_ratio,
            max_record_bytes=self.archive_max_record_bytes,
            max_text_bytes=self.archive_max_text_bytes,
            max_directory_bytes=self.archive_max_directory_bytes,
        )

    @property
    def selectors_report(self) -> bool:
        """Whether selectors tell of their refusals: they do so without credentials, which a private index asks for."""
        return self.wanted and not self.private_reading

    @property
    def base_url(self) -> str:
        """The address that goes into selectors, without a slash at its end.

        It comes from settings alone: a ``Host`` or ``X-Forwarded-*`` header is what some client says.

        :raises MissingPublicUrl: it is not set, and the server is meant for more than this machine
        """
        if self.public_url is not None:
            return self.public_url
        if not is_loopback(self.host):
            raise MissingPublicUrl(
                f"the server is to listen on {self.host}, and the address that clients use is not known",
                where=f"{PREFIX}PUBLIC_URL",
                hint="set CPUFIT_PUBLIC_URL (or --public-url) to it, for example https://index.example",
            )
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach that address: ``localhost``, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def load_settings(**given: object) -> Settings:
    """Return the settings: what is given here, then the environment, then the defaults.

    :param given: values by the settings' names; None means not given
    :raises InvalidSetting: the first value that cannot be used
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks each value, that is the point
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        # An address may hold a password.
        shown = "" if "@" in str(first["input"]) else f", not {first['input']!r}"
        raise InvalidSetting(
            f"{first['msg']}{shown}", where=f"{PREFIX}{name.upper()}", hint=_description(name)
        ) from None


def _description(name: str) -> str | None:
    field = Settings.model_fields.get(name)
    return None if field is None else field.description
