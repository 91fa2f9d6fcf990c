"""Until when certificates are valid."""

import ssl


def first_expiry(text: str) -> float | None:
    """Return when the first of some authorities' certificates expires.

    Args:
        text: Certificates in PEM.

    Returns:
        Seconds since 1970; None where none of them is an authority's.

    Raises:
        ValueError: They are no certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=text)
    except ssl.SSLError as error:
        raise ValueError(f"these are no certificates: {error}") from error
    ends = [ssl.cert_time_to_seconds(str(found["notAfter"])) for found in context.get_ca_certs()]
    return float(min(ends)) if ends else None
