"""The last resort: the release's real source, built by pip, where the index allows it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Mapping, Sequence
from zipfile import BadZipFile, ZipFile

from .download import Narrate, fetch
from .failures import SourceBuildFailed
from .release import Release, RemoteFile
from .transport import Transport
from .vendored import InvalidWheelFilename, Version, canonicalize_name, parse_wheel_filename

_NOT_INHERITED = (
    "PYTHONPATH",
    "PYTHONNOUSERSITE",
    "PIP_BUILD_TRACKER",
    "PIP_REQ_TRACKER",
    "PIP_REQUIRE_HASHES",
    "PIP_NO_DEPS",
)
"""What the surrounding pip set for its own build: its isolated path hides pip, and its tracker is not for a second one.
The hash of the source is checked here, before pip sees it."""


def pip_command(source: Path, folder: Path, settings: Mapping[str, object]) -> list[str]:
    """Return the command that builds one source distribution into a folder."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir", "--wheel-dir", str(folder)]
    for name, value in settings.items():
        values = value if isinstance(value, list) else [value]
        command += [f"--config-settings={name}={each}" for each in values]
    return [*command, str(source)]


def build(
    transport: Transport,
    release: Release,
    source: RemoteFile,
    folder: Path,
    settings: Mapping[str, object],
    narrate: Narrate,
) -> str:
    """Build the source into a folder, and return the wheel's file name.

    :raises DownloadFailed: the index does not hand out the source
    :raises WrongBytes: it has another hash
    :raises SourceBuildFailed: there is no pip, or the build failed, or made another project's wheel
    """
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    _require_pip(environ)
    with tempfile.TemporaryDirectory(prefix="cpufit-source-") as work:
        path = fetch(transport, source, Path(work), narrate)
        narrate(f"building {source.filename} from source with pip; this may take long")
        out = Path(work) / "wheel"
        done = _run(pip_command(path, out, settings), environ)
        if done != 0:
            raise SourceBuildFailed(f"pip could not build {source.filename} (exit status {done}); its output is above")
        built = sorted(out.glob("*.whl"))
        if len(built) != 1:
            raise SourceBuildFailed(f"{source.filename} made {len(built)} wheels in place of one")
        _check(built[0], release)
        _warn_of_other_dependencies(built[0], narrate)
        # a folder on another file system cannot be renamed into
        staged = folder / f".cpufit-{built[0].name}.part"
        staged.write_bytes(built[0].read_bytes())
        staged.replace(folder / built[0].name)
        return built[0].name


def _run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    return subprocess.run(  # noqa: S603  # pip of this interpreter, on a file whose hash was checked
        list(command), env=dict(environ), stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
    ).returncode


def _require_pip(environ: Mapping[str, str]) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", "import pip"], env=dict(environ), stderr=subprocess.DEVNULL, check=False
    )
    if asked.returncode != 0:
        raise SourceBuildFailed(
            "no wheel fits, and the source of this release cannot be built because this Python has no pip",
            hint="install with pip, or give this environment pip first",
        )


def _check(wheel: Path, release: Release) -> None:
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise SourceBuildFailed(str(error)) from error
    if (name, version) != (canonicalize_name(release.project), Version(release.version)):
        raise SourceBuildFailed(f"the source of {release.project} {release.version} made {wheel.name}")


def _warn_of_other_dependencies(wheel: Path, narrate: Narrate) -> None:
    """Say so where the built wheel asks for other packages than the installer was told: it will not install these."""
    promised = _requirements((Path(__file__).resolve().parent.parent / "PKG-INFO").read_bytes())
    try:
        with ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            found = _requirements(archive.read(name))
    except (BadZipFile, StopIteration) as error:
        raise SourceBuildFailed(f"{wheel.name} is no wheel") from error
    if found != promised:
        narrate(
            f"warning: {wheel.name} asks for other packages than the wheels of this release: {sorted(found ^ promised)}"
        )


def _requirements(metadata: bytes) -> frozenset[str]:
    rows = HeaderParser().parsestr(metadata.decode("utf-8", errors="replace")).get_all("Requires-Dist", [])
    return frozenset("".join(str(row).split()).replace("'", '"').lower() for row in rows)
