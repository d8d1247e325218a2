"""Credentials for a service whose certificate comes from an authority of one's own."""

from __future__ import annotations

import grpc


def trusting(roots: bytes) -> grpc.ChannelCredentials:
    """TLS that trusts these authorities and no other: for `LedgerClient(credentials=...)`.

    Args:
        roots: certificates in PEM.
    """
    return grpc.ssl_channel_credentials(roots)
