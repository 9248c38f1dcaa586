"""The certificate to serve with: checked at the start, read again when it changes, kept when the new one is bad."""

import pytest

from holdfastd.config.model import ConfigError, Tls
from holdfastd.identity.certificates import Certificates
from support.authority import Authority


@pytest.fixture
def tls(tmp_path):
    authority = Authority()
    authority.issue(dns=["localhost"]).write(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    return Tls(certificate=tmp_path / "tls.crt", key=tmp_path / "tls.key", client_ca=tmp_path / "ca.crt")


def test_a_changed_certificate_is_read_once(tls):
    """Handshakes only look."""
    certificates = Certificates(tls)
    assert certificates.renewed() is None

    Authority().issue(dns=["localhost"]).write(tls.certificate, tls.key)

    renewed = certificates.renewed()
    assert renewed is not None
    assert renewed.chain == tls.certificate.read_bytes()
    assert certificates.renewed() is None


def test_a_bad_certificate_leaves_the_old_one_in_force(tls):
    """A rotation that went wrong half-way must not end the service."""
    certificates = Certificates(tls)
    before = certificates.current

    for text in (b"", b"nonsense", Authority().issue(dns=["other"]).chain):
        tls.certificate.write_bytes(text)
        assert certificates.renewed() is None
    tls.certificate.unlink()

    assert certificates.renewed() is None
    assert certificates.current is before


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("tls.crt", None, "tls.crt cannot be read (No such file or directory)"),
        ("tls.key", b"nonsense", "are not a certificate and its unencrypted key in PEM"),
        ("tls.crt", b"nonsense", "are not a certificate and its unencrypted key in PEM"),
        ("tls.crt", Authority().issue(dns=["x"]).chain, "key values mismatch"),
        ("ca.crt", b"nonsense", "holds no certificates in PEM"),
    ],
)
def test_a_service_does_not_start_with_a_bad_certificate(tls, tmp_path, name, content, complaint):
    """One sentence that names the file."""
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigError) as refused:
        Certificates(tls)

    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)
