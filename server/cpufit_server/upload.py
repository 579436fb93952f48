"""``POST /legacy/``: the upload API that twine, uv publish and curl speak.

The body is written to the blob store's staging area while it arrives and hashed on the way, so a file takes no memory;
a small one is taken in one go. What was announced is compared with what came (``upload_form``), and then
``cpufit_wheelhouse.ingest`` decides. The answer to the same file a second time is 200, to other bytes under a taken
name 409.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import anyio
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from cpufit_resolver.errors import CpufitError
from cpufit_resolver.need import parse_need
from cpufit_wheelhouse.blobs import StagedBlob
from cpufit_wheelhouse.catalog import StoredFile, TokenGrant
from cpufit_wheelhouse.filename import SdistFilename, WheelFilename, parse_sdist_filename, parse_wheel_filename
from cpufit_wheelhouse.home import Home
from cpufit_wheelhouse.ingest import Ingested
from cpufit_wheelhouse.judgement import asks_for
from cpufit_wheelhouse.pooled import InspectionPending
from cpufit_wheelhouse.storage_failures import storage_failures_told

from .auth import require
from .bodies import announced_size
from .errors import InvalidForm, UploadsDisabled, UploadTooLarge
from .held import held_as_json
from .multipart import FILE_FIELD, Form, FormLimits, FormReader
from .services import Services, services_of
from .settings import Settings
from .upload_form import (
    FIELDS,
    NEEDS_FIELD,
    REPEATED_FIELDS,
    attestations_of,
    check_form,
    submission_of,
)
from .watching import note_outcome

router = APIRouter()

_PIECE = 1024**2
"""Bytes gathered before a worker thread hashes and writes them."""

_SMALL = 64 * 1024
"""Bytes of a body that is taken into memory whole: about what the server reads ahead of anybody who asks for it."""

_DRAIN = 64 * 1024**2
"""Bytes still read after a refusal: a client that is cut off while it sends may never see the answer."""

_DRAIN_SECONDS = 10.0

_UNKNOWN_HINT = (
    "nobody knows which CPU features it needs, so it is in no view; upload it again with the field cpufit_needs, or "
    "set the project's policy unknown = allow"
)
_HELD_HINT = "its machine code is still being read; it is in no view until its state at this url is 'accepted'"


@router.post("/legacy/")
@router.post("/legacy")
async def upload(request: Request) -> Response:
    """Take one file and put it into the store, or say why not."""
    services = services_of(request)
    body = request.stream()
    try:
        try:
            with storage_failures_told():
                answer = await _answer(services, request, body)
        except CpufitError:
            # A client that asked first ("Expect: 100-continue") sends nothing after a refusal.
            if "expect" not in request.headers:
                await _drain(body)
            raise
    except ClientDisconnect:
        return Response(status_code=400)
    note_outcome(request.scope, "held" if answer.status_code == 202 else "taken")
    return answer


async def _answer(services: Services, request: Request, body: AsyncIterator[bytes]) -> Response:
    if not services.settings.uploads:
        raise UploadsDisabled("this index takes no uploads now")
    if not _is_small(request.headers):
        return await _in_pieces(services, request, body)
    data = b"".join([piece async for piece in body])
    at_once = partial(_at_once, services, request, data)
    return await anyio.to_thread.run_sync(at_once, limiter=services.uploads)


def _is_small(headers: Headers) -> bool:
    """Tell whether a body may be taken into memory before anybody looks at the token that comes with it.

    A client that asks first is answered first.
    """
    announced = announced_size(headers)
    return announced is not None and announced <= _SMALL and "expect" not in headers


def _at_once(services: Services, request: Request, data: bytes) -> Response:
    """Take a small upload, whose body is here, in one go: each change of thread costs as much as a query."""
    grant = services.tokens.grant(request.headers.get("authorization"))
    with services.home.blobs.stage() as staged:
        reader = _reader(request, staged, grant, services.settings)
        reader.write(data)
        return _taken(services, staged, reader.finish(), request.query_params.get(NEEDS_FIELD), grant)


async def _in_pieces(services: Services, request: Request, body: AsyncIterator[bytes]) -> Response:
    """Take an upload that is written to the disk as it comes, by whom its token allows."""
    grant = await run_in_threadpool(services.tokens.grant, request.headers.get("authorization"))
    with services.home.blobs.stage() as staged:
        form = await _receive(request, body, staged, grant, services.settings)
        taken = partial(_taken, services, staged, form, request.query_params.get(NEEDS_FIELD), grant)
        return await anyio.to_thread.run_sync(taken, limiter=services.uploads)


def _taken(services: Services, staged: StagedBlob, form: Form, query: str | None, grant: TokenGrant) -> Response:
    """Put the file in, or hold it where its verdict takes long."""
    declared = form.get(NEEDS_FIELD) or query or None
    home = services.home
    # who may delete a file may also let it come back
    restoring = grant.includes("admin")
    if restoring:
        home = replace(home, ingest=home.ingest.restoring())
    try:
        ingested = ingest_form(home, staged, form, query, services.settings)
        return JSONResponse(as_answer(ingested, declared))
    except InspectionPending as pending:
        held = services.holding.hold(
            staged,
            form.filename,
            pending.job,
            declared=declared,
            provenance=_provenance(form),
            attestations=attestations_of(form, services.settings),
            restoring=restoring,
        )
    answer = {"status": "held", "verdict": "pending", "hint": _HELD_HINT, **held_as_json(held)}
    return JSONResponse(answer, status_code=202)


async def _receive(
    request: Request, body: AsyncIterator[bytes], staged: StagedBlob, grant: TokenGrant, settings: Settings
) -> Form:
    announced = announced_size(request.headers)
    if announced is not None and announced > settings.max_upload_bytes + _DRAIN:
        raise UploadTooLarge(
            f"the upload has more than {settings.max_upload_bytes} bytes",
            where=FILE_FIELD,
            hint="CPUFIT_MAX_UPLOAD_BYTES sets the limit",
        )
    reader = _reader(request, staged, grant, settings)
    gathered = bytearray()
    async for piece in body:
        gathered += piece
        if len(gathered) >= _PIECE:
            await run_in_threadpool(reader.write, bytes(gathered))
            gathered.clear()
    await run_in_threadpool(reader.write, bytes(gathered))
    return reader.finish()


def _reader(request: Request, staged: StagedBlob, grant: TokenGrant, settings: Settings) -> FormReader:
    return FormReader(
        request.headers.get("content-type"),
        sink=staged,
        wanted=FIELDS,
        repeated=REPEATED_FIELDS,
        limits=FormLimits(
            file_bytes=settings.max_upload_bytes,
            field_bytes=settings.max_form_field_bytes,
            form_bytes=settings.max_form_bytes,
            fields=settings.max_form_fields,
        ),
        on_file=partial(_admit, grant),
    )


def _admit(grant: TokenGrant, filename: str) -> None:
    """Refuse before the first byte what no token and no later field could let in."""
    require(grant, parse_filename(filename).name, "upload")


async def _drain(body: AsyncIterator[bytes]) -> None:
    left = _DRAIN
    with anyio.move_on_after(_DRAIN_SECONDS):
        async for piece in body:
            left -= len(piece)
            if left < 0:
                return


def parse_filename(filename: str) -> WheelFilename | SdistFilename:
    """Return the parts of an uploaded file's name.

    :raises InvalidWheelName: it is neither a wheel's nor a source distribution's
    """
    return parse_wheel_filename(filename) if filename.endswith(".whl") else parse_sdist_filename(filename)


def ingest_form(home: Home, staged: StagedBlob, form: Form, query_needs: str | None, settings: Settings) -> Ingested:
    """Put an uploaded file into the store.

    :param query_needs: the need that the query declares; the form's field may only repeat it
    :raises InvalidForm: a field has a value that is not served here
    :raises DigestMismatch: the bytes are not those that were announced
    :raises CpufitError: whatever ingest refuses
    """
    parsed = parse_filename(form.filename)
    check_form(form, parsed, staged, digest_required=settings.require_digest)
    declared = form.get(NEEDS_FIELD)
    if declared and query_needs and declared != query_needs:
        raise InvalidForm("the query and the form declare different needs", where=NEEDS_FIELD)
    submission = submission_of(form, settings.admission_rules, settings)
    provenance = _provenance(form)
    if isinstance(parsed, WheelFilename):
        return home.ingest.wheel(
            staged,
            form.filename,
            declared=declared or query_needs or None,
            provenance=provenance,
            submission=submission,
        )
    return home.ingest.sdist(staged, form.filename, provenance=provenance, submission=submission)


def _provenance(form: Form) -> dict[str, object]:
    return {"source": "upload", "filename": form.filename}


def as_answer(ingested: Ingested, declared: str | None = None) -> dict[str, object]:
    """Return what the uploader reads: the verdict on the file, and what to do where there is none.

    :param declared: what the uploader declared; where something else counts, it is told
    """
    file = ingested.file
    unknown = file.kind == "wheel" and file.need is None
    answer: dict[str, object] = {
        "status": ingested.status,
        "project": file.project,
        "version": file.version,
        "filename": file.filename,
        "sha256": file.sha256,
        "verdict": "unknown" if unknown else "known",
        "need": None if file.need is None else file.need.as_dict(),
    }
    if ingested.verdict is not None:
        answer["inspection"] = ingested.verdict.as_dict()
    if ingested.notices:
        answer["notices"] = [notice.as_dict() for notice in ingested.notices]
    if unknown:
        answer["hint"] = _UNKNOWN_HINT
    elif declared and _is_more(file, declared):
        answer["hint"] = f"{declared} was declared; the need {file.need_key} counts, which its machine code asks for"
    return answer


def _is_more(file: StoredFile, declared: str) -> bool:
    """Tell whether a wheel needs more than was declared of it."""
    if file.need is None or file.kind == "sdist":
        return False
    architectures = parse_wheel_filename(file.filename).architectures()
    return not asks_for(parse_need(declared, architectures), file.need)
