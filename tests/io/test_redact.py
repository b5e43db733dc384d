"""What is shown of a URL keeps its names and hides its values."""

from __future__ import annotations

import pytest

from streamframe.io.redact import forget_hidden, redact, redact_text, secrets_in, secrets_of, shows_secrets


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("/home/a/b?.csv", "/home/a/b?.csv"),
        ("https://host/a.csv", "https://host/a.csv"),
        ("https://host/a.csv?token=abc&x=1", "https://host/a.csv?token=***&x=***"),
        ("https://host/a.csv?abc", "https://host/a.csv?***"),
        ("https://host/a.csv#key=abc", "https://host/a.csv"),
        ("https://me:pw@host:8080/a@b.csv", "https://host:8080/a@b.csv"),
        ("https://me:p@ss@host/a.csv", "https://host/a.csv"),
        ("https://me:p/ss@host/a.csv?k=v", "https://host/a.csv?k=***"),
        ("https://me:p#ss@host/a.csv", "https://host/a.csv"),
        ("postgresql://me:p?ss@host/db", "postgresql://host/db"),
        ("https://[::1]:80/a::b.csv?k=v::w", "https://[::1]:80/a::b.csv?k=***"),
        ("s3://key:secret@bucket/a.csv", "s3://bucket/a.csv"),
        ("simplecache::https://me:pw@host/a?k=v", "simplecache::https://host/a?k=***"),
        ("zip://a.csv::https://host/a.zip?k=v", "zip://a.csv::https://host/a.zip?k=***"),
        ("host?k=v://x", "host?k=v://x"),
    ],
)
def test_a_label_keeps_names_and_hides_values(uri, shown):
    assert redact(uri) == shown


def test_a_foreign_message_is_cleaned_too():
    uri = "https://me:geheim@host/a?k=verborgen%21"
    text = f"cannot open {uri} that is 'verborgen!' by geheim"
    assert redact_text(text, secrets_of(uri)) == "cannot open https://host/a?k=*** that is '***' by ***"


def test_a_password_with_an_unescaped_slash_is_a_secret_as_a_whole():
    assert redact_text("invalid port in me:ge/heim@host", secrets_of("https://me:ge/heim@host/a")) == (
        "invalid port in ***@host"
    )


def test_secrets_of_options_are_found_at_any_depth_and_in_the_forms_they_travel_in():
    found = secrets_in(
        {
            "headers": {"Authorization": "Bearer t0ken", "X-Key": "k3y"},
            "auth": ("me", "passw0rd"),
            "client_kwargs": {"cookies": {"a": "c00kie"}, "proxy": "http://you:pr0xy@host"},
            "https": {"params": {"sig": "s1g"}},
            "endpoint_url": "https://store.example/?token=t0",
            "secret": "s3",
            "region": "eu-west-1",
        }
    )
    assert {"Bearer t0ken", "t0ken", "k3y", "passw0rd", "c00kie", "pr0xy", "s1g", "bWU6cGFzc3cwcmQ="} <= set(found)
    assert "eu-west-1" not in found


def test_an_error_that_nobody_is_shown_is_dropped():
    def fail():
        try:
            raise KeyError("geheim")
        except KeyError:
            raise ValueError("shown") from None

    with pytest.raises(ValueError, match="shown") as caught:
        fail()
    assert shows_secrets(caught.value, ["geheim"])
    forget_hidden(caught.value)
    assert not shows_secrets(caught.value, ["geheim"])
