"""Whom we believe to be the server, and what we say if we do not."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from streamframe.errors import TransportError
from streamframe.testing import page, redirects_to, serve
from tests.io.reading import read_all

trustme = pytest.importorskip("trustme", reason="is in the extra `dev`")

BODY = b"a,b\n1,2\n"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def speaking_tls(certificate, client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        client_authority.configure_trust(context)
    return context


def refusal(url, **options):
    with pytest.raises(TransportError) as caught:
        read_all(url + "/a.csv", options)
    return caught.value


def test_an_authority_of_ones_own_is_given_as_a_context(authority, trusting):
    with serve(page(BODY), tls=speaking_tls(authority.issue_cert("127.0.0.1"))) as url:
        assert read_all(url + "/a.csv", {"ssl": trusting}) == BODY


def test_an_authority_of_ones_own_is_named_in_the_environment_at_any_time(authority, tmp_path, monkeypatch):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serve(page(BODY), tls=speaking_tls(authority.issue_cert("127.0.0.1"))) as url:
        refusal(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert read_all(url + "/a.csv") == BODY
        monkeypatch.delenv("SSL_CERT_FILE")
        refusal(url)


def test_an_unknown_authority_is_refused_with_the_remedy(authority):
    requests = []
    with serve(page(BODY), requests, tls=speaking_tls(authority.issue_cert("127.0.0.1"))) as url:
        error = refusal(url)
    assert "SSL_CERT_FILE" in error.hint
    assert "ssl.create_default_context" in error.hint
    assert not requests


def test_the_certificate_of_another_host_is_refused(authority, trusting):
    with serve(page(BODY), tls=speaking_tls(authority.issue_cert("example.org"))) as url:
        error = refusal(url, ssl=trusting)
    assert "not valid for '127.0.0.1'" in str(error) or "mismatch" in str(error)
    assert "check the URL's host" in error.hint


def test_an_expired_certificate_is_refused(authority, trusting):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    old = authority.issue_cert("127.0.0.1", not_before=yesterday - timedelta(days=2), not_after=yesterday)
    with serve(page(BODY), tls=speaking_tls(old)) as url:
        error = refusal(url, ssl=trusting)
    assert "expired" in str(error)
    assert "clock" in error.hint


def test_a_certificate_of_the_client_is_given_as_a_context(authority, trusting):
    known = ssl.create_default_context()
    authority.configure_trust(known)
    authority.issue_cert("me@example.org").configure_cert(known)
    asks = speaking_tls(authority.issue_cert("127.0.0.1"), client_authority=authority)
    with serve(page(BODY), tls=asks) as url:
        assert read_all(url + "/a.csv", {"ssl": known}) == BODY
    # From 1.3 on the refusal races with our request, and a reset can overtake it.
    asks.maximum_version = ssl.TLSVersion.TLSv1_2
    with serve(page(BODY), tls=asks) as url:
        assert "load_cert_chain" in refusal(url, ssl=trusting).hint


def test_a_redirect_from_https_to_http_is_refused(authority, trusting):
    requests = []
    secure = speaking_tls(authority.issue_cert("127.0.0.1"))
    with (
        serve(page(BODY), requests) as plain,
        serve(redirects_to(plain + "/b.csv?sig=geheim"), tls=secure) as url,
    ):
        error = refusal(url, ssl=trusting, headers={"Authorization": "Bearer geheim"})
    assert "from https to http" in str(error)
    assert plain in str(error)
    assert "geheim" not in str(error)
    assert not requests


def test_a_redirect_from_http_to_https_takes_no_headers_along(authority, trusting):
    requests = []
    with (
        serve(page(BODY), requests, tls=speaking_tls(authority.issue_cert("127.0.0.1"))) as secure,
        serve(redirects_to(secure + "/b.csv")) as url,
    ):
        assert read_all(url + "/a.csv", {"ssl": trusting, "headers": {"Authorization": "Bearer x"}}) == BODY
    assert "authorization" not in requests[0].headers
