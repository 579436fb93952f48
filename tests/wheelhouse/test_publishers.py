from __future__ import annotations

from dataclasses import replace

import pytest

from cpufit_wheelhouse.publishers import BY_TOKEN, CertificateClaims, signer_of

GITHUB = CertificateClaims(
    issuer="https://token.actions.githubusercontent.com",
    identity="https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1",
    repository="https://github.com/acme/tool",
    digest="0123",
    ref="refs/tags/v1",
    config="https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1",
)
GITLAB = CertificateClaims(
    issuer="https://gitlab.com",
    identity="https://gitlab.com/acme/group/tool//.gitlab-ci.yml@refs/heads/main",
    repository="https://gitlab.com/acme/group/tool",
    digest="0123",
    ref="refs/heads/main",
    config="https://gitlab.com/acme/group/tool//.gitlab-ci.yml@0123",
)
GOOGLE = CertificateClaims(issuer="https://accounts.google.com", identity="bot@acme.iam.gserviceaccount.com")
CIRCLECI = CertificateClaims(
    issuer="https://oidc.circleci.com",
    identity="https://circleci.com/api/v2/projects/0a-1/pipeline-definitions/2b-3",
    signer="https://circleci.com/api/v2/projects/0a-1/pipeline-definitions/2b-3",
    repository="github.com/acme/tool",
    ref="refs/heads/main",
)


@pytest.mark.parametrize(
    ("claims", "name", "told"),
    [
        (GITHUB, "GitHub:acme/tool:release.yml", {"repository": "acme/tool", "workflow": "release.yml"}),
        (GITLAB, "GitLab:acme/group/tool:.gitlab-ci.yml",
         {"repository": "acme/group/tool", "workflow_filepath": ".gitlab-ci.yml"}),
        (GOOGLE, "Google:bot@acme.iam.gserviceaccount.com", {"email": "bot@acme.iam.gserviceaccount.com"}),
        (CIRCLECI, "CircleCI:0a-1:2b-3", {"project_id": "0a-1", "vcs_ref": "refs/heads/main"}),
    ],
)  # fmt: skip
def test_a_signer_is_named_as_trusted_publishers_are(
    claims: CertificateClaims, name: str, told: dict[str, str]
) -> None:
    signer = signer_of(claims)
    assert signer.name == name
    assert signer.publisher["kind"] == name.partition(":")[0]
    assert told.items() <= signer.publisher.items()
    assert signer.publisher["claims"] == {
        key: value
        for key, value in {
            "issuer": claims.issuer,
            "identity": claims.identity,
            "source_repository_digest": claims.digest,
            "source_repository_ref": claims.ref,
        }.items()
        if value
    }


@pytest.mark.parametrize(
    "claims",
    [
        replace(GITHUB, issuer="https://token.actions.example.com"),
        replace(GITHUB, repository="https://git.example.com/acme/tool"),
        replace(GITHUB, config="https://github.com/other/tool/.github/workflows/release.yml@refs/tags/v1"),
        replace(GITHUB, config="https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v2"),
        replace(GITHUB, config=None),
        replace(GITLAB, issuer="https://git.example.com"),
        replace(GITLAB, ref=None, digest=None),
        replace(GOOGLE, identity="somebody@example.com"),
        replace(CIRCLECI, signer="https://circleci.com/api/v2/projects/0a-1"),
    ],
)
def test_who_is_of_no_known_kind_is_not_named_as_one(claims: CertificateClaims) -> None:
    signer = signer_of(claims)
    assert (signer.kind, signer.publisher) == (None, BY_TOKEN)
    assert not signer.is_one_of(["*"])
    assert claims.issuer in signer.name


def test_patterns_are_of_whole_names() -> None:
    signer = signer_of(GITHUB)
    assert signer.is_one_of(["GitLab:acme/*", "GitHub:acme/*"])
    assert signer.is_one_of(["GitHub:acme/tool:release.yml"])
    assert not signer.is_one_of(["GitHub:acme/tool", "GitHub:acme", "gitHub:acme/*", "GitHub:acm/*"])
