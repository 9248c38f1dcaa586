"""TLS for gRPC: the certificate is looked at again at every handshake."""

import grpc

from holdfastd.identity.certificates import Certificate, Certificates


def server_credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Return what a secure port is opened with.

    Python's gRPC either asks callers for a certificate and refuses those without, or asks for none: with a client_ca, all need one.
    """

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        # Runs in a thread of gRPC, before every handshake.
        certificate = certificates.renewed()
        return _configuration(certificate) if certificate else None

    first = certificates.current
    return grpc.dynamic_ssl_server_credentials(
        _configuration(first),
        renewed,  # type: ignore[arg-type]  # None, for no change, is documented and missing in the stubs
        require_client_authentication=first.client_ca is not None,
    )


def _configuration(certificate: Certificate) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(certificate.key, certificate.chain)], root_certificates=certificate.client_ca)
