"""The errors of wheels, blobs and the catalog.

::

    CpufitError                        (cpufit_resolver.errors)
    ├── WheelError                     a file that is not what it says
    │   ├── InvalidWheelName           its name follows no grammar
    │   ├── NotAWheel                  not a zip (or, for an sdist, not a tar.gz), or one that tools read differently
    │   ├── UnsafeMember               a member that would be unpacked somewhere else, or over another
    │   ├── DistInfoMismatch           not exactly one .dist-info, or another project's
    │   ├── MetadataMismatch           METADATA speaks of another project or version
    │   ├── InvalidMetadata            METADATA or WHEEL cannot be read
    │   ├── TagsMismatch               WHEEL and the file name give different tags
    │   ├── RecordMismatch             RECORD and the members differ
    │   ├── ObfuscatedCode             a member whose code nobody can read before it runs
    │   ├── NameRefused                a name that this index does not take
    │   ├── InvalidAttestation         an attestation that does not follow PEP 740, or is of another file
    │   │   └── AttestationNotVerified   … whose certificate, log entry or signature does not hold
    │   ├── VariantMetadataMissing     a variant label without variant.json
    │   ├── InvalidVariantMetadata     variant.json does not follow the draft, or cannot be judged
    │   └── WheelTooLarge              more members or bytes than the limits allow
    ├── StoreError                     a file that cannot go in or come out
    │   ├── DigestMismatch             its bytes are not those that were announced
    │   ├── FileExists                 the same name with other bytes is there
    │   ├── FileNameDeleted            … was there, and was deleted
    │   ├── ProjectClosed              the project's status lets nothing in
    │   ├── VariantsNotEnabled         … with another need, and the project takes no variants
    │   ├── VariantsDisagree           two variants of one release depend on different things
    │   ├── SdistExists                the release has a source distribution of another name
    │   ├── ReleaseClosed              the release takes no further files
    │   ├── ProjectTooLarge            the project's files have more bytes than the rules allow
    │   ├── TooManyProjects            more projects were made in an hour than the rules allow
    │   ├── NeedRefused                a declared need that cannot stand
    │   ├── NoSuchProject
    │   └── NoSuchFile
    ├── StorageFailed                  the disk or the catalog cannot be read or written
    │   ├── StorageFull                … for want of room
    │   └── CatalogBusy                … while another process keeps the catalog locked
    └── InvalidSimplePage              a page of an index that follows neither PEP 503 nor PEP 691
"""

from __future__ import annotations

from cpufit_resolver.errors import CpufitError

_BUILD_AGAIN = "build it again with your build tool, and do not edit it by hand"


class WheelError(CpufitError):
    """A wheel or a source distribution that is not what it says."""

    code = "invalid-wheel"
    usual_hint = _BUILD_AGAIN


class InvalidWheelName(WheelError):
    """A file name that is neither a wheel's nor a source distribution's."""

    code = "invalid-wheel-name"
    usual_hint = "a wheel is called {name}-{version}-{python}-{abi}-{platform}.whl, an sdist {name}-{version}.tar.gz"


class NotAWheel(WheelError):
    """A file whose archive cannot be read, or that two tools would read differently."""

    code = "not-a-wheel"
    usual_hint = "the file may be cut off: check its SHA-256, or build it again"


class UnsafeMember(WheelError):
    """A member whose name or kind could put it outside its place, or over another member."""

    code = "unsafe-member-path"
    usual_hint = "members are plain files under relative names with '/', each told apart without regard to case"


class DistInfoMismatch(WheelError):
    """A wheel without exactly one ``.dist-info`` folder that matches its file name."""

    code = "dist-info-mismatch"
    usual_hint = "file name and folder come from one build: upload the file under the name it was built with"


class MetadataMismatch(WheelError):
    """Core metadata of another project or version than the file name's."""

    code = "metadata-mismatch"
    usual_hint = "file name and metadata come from one build: upload the file under the name it was built with"


class InvalidMetadata(WheelError):
    """Core metadata or a ``WHEEL`` file that cannot be read."""

    code = "invalid-metadata"


class TagsMismatch(WheelError):
    """A ``WHEEL`` file whose tags are not the file name's."""

    code = "wheel-tags-mismatch"
    usual_hint = "rename a wheel with `wheel tags`, which writes both"


class RecordMismatch(WheelError):
    """A ``RECORD`` that does not list exactly the members with their hashes and sizes."""

    code = "record-mismatch"
    usual_hint = "after a change to a wheel, `wheel unpack` and `wheel pack` write RECORD anew"


class ObfuscatedCode(WheelError):
    """A member whose code is hidden from whoever reads it, where this index does not take such."""

    code = "obfuscated-code"
    usual_hint = "upload the code as it was written; the setting CPUFIT_REFUSE_OBFUSCATED is on here"


class NameRefused(WheelError):
    """A name of a project or a file that follows the grammar and that this index does not take."""

    code = "name-refused"
    usual_hint = "the server's settings name what is taken"


class InvalidAttestation(WheelError):
    """An attestation that does not follow PEP 740, or that is of another file."""

    code = "invalid-attestation"
    usual_hint = "sign the file again, or upload it without attestations"


class AttestationNotVerified(InvalidAttestation):
    """An attestation of this file whose certificate, log entry or signature does not hold."""

    code = "attestation-not-verified"
    usual_hint = "sign the file again; an index verifies by the keys that it has, and whoever runs it can renew them"


class VariantMetadataMissing(WheelError):
    """A file name with a variant label, and no ``variant.json`` inside."""

    code = "variant-metadata-missing"
    usual_hint = "leave the label out, or add variant.json as PEP 825 says"


class InvalidVariantMetadata(WheelError):
    """A ``variant.json`` that breaks the draft's rules, or whose properties nobody here can judge."""

    code = "invalid-variant-metadata"
    usual_hint = "declare the need at the upload instead, and leave variant.json and the label out"


class WheelTooLarge(WheelError):
    """An archive beyond the limits: too many members, too many bytes, or bytes out of nothing."""

    code = "wheel-too-large"
    usual_hint = "the limits are the server's settings"


class StoreError(CpufitError):
    """A file that cannot go into the store, or is not in it."""

    code = "store-error"
    usual_hint = "see what the project has: GET /api/v1/projects/{name}"


class DigestMismatch(StoreError):
    """Bytes that do not have the announced digest or size."""

    code = "digest-mismatch"
    usual_hint = "it was damaged on the way: send it again"


class FileExists(StoreError):
    """Another file of the same name and need; upload tools look for the words ``File already exists``."""

    code = "file-already-exists"
    usual_hint = "a file never changes under its name: give the new one another version or build tag"


class FileNameDeleted(StoreError):
    """A file of a name that was deleted: locks and caches may still know the bytes that it had."""

    code = "filename-was-deleted"
    usual_hint = "give the new build another version or build tag; the deleted bytes alone can come back, by an admin"


class ProjectClosed(StoreError):
    """An upload to a project that is archived or quarantined (PEP 792)."""

    code = "project-archived"
    usual_hint = "whoever runs the index can make it active again: cpufit-server project status NAME active"


class VariantsNotEnabled(StoreError):
    """Another file of the same name with another need, in a project that takes no variants."""

    code = "variants-not-enabled"
    usual_hint = "turn variants on for the project, or give the file another version"


class VariantsDisagree(StoreError):
    """Two variants of one release with different dependencies: a lock file could not hold for both."""

    code = "variants-disagree-on-dependencies"
    usual_hint = "build all variants of a release with the same Requires-Dist and Requires-Python"


class SdistExists(StoreError):
    """A second source distribution of one release: an installer could take either."""

    code = "sdist-exists"
    usual_hint = "a release has one source distribution: give the new one another version"


class ReleaseClosed(StoreError):
    """A release whose first file came longer ago than the rules allow."""

    code = "release-closed"
    usual_hint = "make a new release; the setting CPUFIT_RELEASE_OPEN_DAYS sets the limit"


class ProjectTooLarge(StoreError):
    """A file with which its project would have more bytes than the rules allow."""

    code = "project-too-large"
    usual_hint = "the setting CPUFIT_MAX_PROJECT_BYTES sets the limit"


class TooManyProjects(StoreError):
    """A file that would make a project, after as many were made within an hour as the rules allow."""

    code = "too-many-projects"
    usual_hint = "try again later; the setting CPUFIT_NEW_PROJECTS_PER_HOUR sets the limit"


class NeedRefused(StoreError):
    """A declared need that contradicts what the wheel says itself, or leaves an architecture open."""

    code = "need-refused"
    usual_hint = "declare a need for every architecture of the wheel, at least as high as its own variant.json"


class NoSuchProject(StoreError):
    """A project that is not hosted here."""

    code = "no-such-project"
    usual_hint = "see /simple/ for the projects that are hosted here"


class NoSuchFile(StoreError):
    """A file that is not stored here."""

    code = "no-such-file"
    usual_hint = "see the project's page for the files that are there"


class StorageFailed(CpufitError):
    """Storage that cannot be read or written: read-only, failing or damaged; see :mod:`.storage_failures`."""

    code = "storage-failed"
    usual_hint = "nothing was changed; whoever runs the index finds the reason in its log"

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        code: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Take what every error has.

        :param reason: what the system said, for whoever runs the index: it may name a path of the machine
        """
        super().__init__(message, where=where, hint=hint, code=code)
        self.reason = reason

    @property
    def in_full(self) -> str:
        """What a log has of it, on one line."""
        return f"{self.message} [{self.code}]" + ("" if self.reason is None else f": {self.reason}")


class StorageFull(StorageFailed):
    """No room for what is to be stored: bytes, inodes, or what a quota or a limit leaves."""

    code = "storage-full"
    usual_hint = "nothing was changed; when whoever runs the index has made room, the same works"


class CatalogBusy(StorageFailed):
    """A catalog that another process keeps locked for longer than anybody waits."""

    code = "catalog-busy"
    usual_hint = "nothing was changed; try again in a moment"


class InvalidSimplePage(CpufitError):
    """A project page that cannot be read as PEP 503 HTML or PEP 691 JSON."""

    code = "invalid-simple-page"
    usual_hint = "the address has to be a project's page of a package index"
