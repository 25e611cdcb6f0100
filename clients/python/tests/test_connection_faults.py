"""Which faults of a connection last."""

from __future__ import annotations

import ssl

import httpx
import pytest

from slipway._faults import remedy_of


def fault(
    kind: type[httpx.TransportError], cause: type[ssl.SSLError], reason: str
) -> httpx.TransportError:
    """Return a fault with an error of TLS as its cause."""
    made = cause(1, reason)
    made.reason = reason
    error = kind(reason)
    error.__cause__ = made
    return error


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("late"),
        fault(httpx.ConnectError, ssl.SSLEOFError, "UNEXPECTED_EOF_WHILE_READING"),
        fault(httpx.ConnectError, ssl.SSLError, "UNEXPECTED_EOF_WHILE_READING"),
        fault(httpx.ConnectError, ssl.SSLZeroReturnError, ""),
        fault(httpx.ConnectError, ssl.SSLError, "TLSV1_ALERT_INTERNAL_ERROR"),
        fault(httpx.ReadError, ssl.SSLError, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    ],
    ids=str,
)
def test_what_may_pass(error: httpx.TransportError) -> None:
    assert remedy_of(error) is None


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (fault(httpx.ConnectError, ssl.SSLError, "WRONG_VERSION_NUMBER"), "http://"),
        (fault(httpx.ConnectError, ssl.SSLError, "RECORD_LAYER_FAILURE"), "http://"),
        (
            fault(httpx.ConnectError, ssl.SSLError, "TLSV1_ALERT_PROTOCOL_VERSION"),
            "SSL context",
        ),
        (
            fault(httpx.ReadError, ssl.SSLError, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            "SSL context",
        ),
    ],
    ids=str,
)
def test_what_lasts(error: httpx.TransportError, remedy: str) -> None:
    assert remedy in str(remedy_of(error))


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (10, "renewed"),
        (18, "SSL_CERT_FILE"),
        (20, "SSL_CERT_FILE"),
        (62, "a name that"),
    ],
)
def test_certificates(code: int, remedy: str) -> None:
    error = fault(
        httpx.ConnectError, ssl.SSLCertVerificationError, "CERTIFICATE_VERIFY_FAILED"
    )
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
    error.__cause__.verify_code = code
    assert remedy in str(remedy_of(error))
