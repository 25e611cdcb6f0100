"""Which faults of a connection last, so that to try again does not help, and what does."""

from __future__ import annotations

import ssl

import httpx

_AUTHORITY = "name the authority's file in verify= or SSL_CERT_FILE"
_OTHER_NAME = "write the address with a name that the certificate is for"
# By the X509_V_ERR_ numbers of OpenSSL's x509_vfy.h; all others are about authorities.
_CERTIFICATE = {
    9: "the certificate holds from later on, or this machine's clock is wrong",
    10: "the certificate has to be renewed, or this machine's clock is wrong",
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
_PLAIN = (
    "if what listens there speaks no TLS, write its address with http:// "
    "instead of https://"
)
_REFUSED = (
    "give verify= an SSL context with what the other side asks for, "
    "such as a certificate of the caller's"
)


def remedy_of(error: BaseException) -> str | None:
    """Return what to change against a fault that lasts; nothing for one that may pass.

    Lasting are handshakes of TLS in which one side does not accept the other, or does not
    speak TLS. One that ends early may have met a gateway, or what stands before it, at its
    end or beginning.

    Parameters
    ----------
    error
        Why no answer came.
    """
    cause: BaseException | None = error
    while not isinstance(cause, ssl.SSLError):
        if cause is None:
            return None
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(cause.verify_code, _AUTHORITY)
    reason = cause.reason or ""
    if "_ALERT_" in reason and ("CERT" in reason or "UNKNOWN_CA" in reason):
        # With TLS 1.3 this comes after the caller's own end of the handshake.
        return _REFUSED
    ended = isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if not isinstance(error, httpx.ConnectError) or ended or "_EOF_" in reason:
        return None
    if "_ALERT_" in reason:
        # Some servers say so until they have got their certificate.
        return None if "INTERNAL_ERROR" in reason else _REFUSED
    return _PLAIN
