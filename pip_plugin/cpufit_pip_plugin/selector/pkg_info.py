"""PKG-INFO of a selector: static, so that locking runs no code (PEP 643, "Metadata for sdists")."""

from __future__ import annotations

from email.parser import HeaderParser

FIELDS = (
    "Summary",
    "Home-page",
    "Project-URL",
    "Download-URL",
    "Author",
    "Author-email",
    "Maintainer",
    "Maintainer-email",
    "License-Expression",
    "License",
    "Keywords",
    "Classifier",
    "Platform",
    "Requires-Python",
    "Requires-Dist",
    "Provides-Extra",
    "Requires-External",
)
"""What is copied from the wheels.

Left out: the description, which an index shows anyway; ``Dynamic``, since nothing here is; ``License-File``, which
names files that a selector does not hold; the import names, which nobody resolves by.
"""


def pkg_info(metadata: bytes, project: str, version: str) -> bytes:
    """Return the PKG-INFO of the selector of a release.

    :param metadata: METADATA of one of its wheels
    :param project: used where METADATA has no ``Name``
    :param version: the release; METADATA and the selector's file name have to say the same
    """
    message = HeaderParser().parsestr(metadata.decode("utf-8", errors="replace"))
    lines = [
        f"Metadata-Version: {_metadata_version(str(message.get('Metadata-Version', '')))}",
        f"Name: {message.get('Name', project)}",
        f"Version: {version}",
    ]
    for field in FIELDS:
        for value in message.get_all(field, []):
            text = str(value).strip()
            # a whole licence folded into the header says nothing to an installer
            if text and not (field == "License" and "\n" in text):
                lines.append(f"{field}: {' '.join(text.split())}")
    return ("\n".join(lines) + "\n").encode()


def _metadata_version(text: str) -> str:
    """Return the wheels' own metadata version, 2.2 at least: only from there on is a field static unless Dynamic."""
    try:
        major, minor = (int(part) for part in text.strip().split("."))
    except ValueError:
        return "2.2"
    return f"{major}.{minor}" if (major, minor) >= (2, 2) else "2.2"
