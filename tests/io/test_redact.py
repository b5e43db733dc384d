"""What is shown of a URL keeps its names and hides its values."""

from __future__ import annotations

import pytest

from streamframe.io.redact import redact, redact_text, secrets_of


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
