"""The certificate to serve with: checked at the start, read again when it changes, kept when the new one is bad."""

import ssl

import pytest
from structlog.testing import capture_logs

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


def test_what_is_wrong_is_told_once(tls):
    """Callers knock many times a second; a file that is gone is no exception."""
    certificates = Certificates(tls)

    with capture_logs() as lines:
        for spoil in (lambda: tls.certificate.write_bytes(b"nonsense"), tls.key.unlink):
            spoil()
            for _ in range(3):
                assert certificates.renewed() is None

    assert [line["event"] for line in lines] == ["certificate_rejected", "certificate_rejected"]


def test_an_expired_certificate_leaves_the_old_one_in_force(tls):
    """Whoever put last year's file there locks everybody out otherwise."""
    certificates = Certificates(tls)
    before = certificates.current

    Authority().issue(dns=["localhost"], hours=-0.5).write(tls.certificate, tls.key)

    with capture_logs() as lines:
        assert certificates.renewed() is None
    assert certificates.current is before
    assert "expired at 2" in lines[0]["problem"]


def test_at_the_start_an_expired_certificate_is_told(tls):
    """And served: jobs and schedules need none, and the next one is taken when it is there."""
    Authority().issue(dns=["localhost"], hours=-0.5).write(tls.certificate, tls.key)

    with capture_logs() as lines:
        certificates = Certificates(tls)

    assert [line["event"] for line in lines] == ["certificate_expired"]
    Authority().issue(dns=["localhost"]).write(tls.certificate, tls.key)
    assert certificates.renewed() is not None


def test_a_pair_that_is_replaced_while_it_is_read_is_not_mixed(tls, monkeypatch):
    """Certificate and key are two files: the chain of one and the key of the other would end every handshake."""
    certificates = Certificates(tls)
    Authority().issue(dns=["localhost"]).write(tls.certificate, tls.key)
    real = ssl.SSLContext.load_cert_chain

    def replaced_meanwhile(context, *files, **options):
        real(context, *files, **options)
        tls.certificate.write_bytes(Authority().issue(dns=["localhost"]).chain)

    with monkeypatch.context() as patch:
        patch.setattr(ssl.SSLContext, "load_cert_chain", replaced_meanwhile)
        assert certificates.renewed() is None
    Authority().issue(dns=["localhost"]).write(tls.certificate, tls.key)

    assert certificates.renewed() is not None


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
