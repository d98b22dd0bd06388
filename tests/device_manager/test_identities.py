"""The certificate authority: who may be called what, for how long, and who can read the keys."""

import datetime
import ipaddress
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from device_manager.errors import SetupError, UsageError
from device_manager.identities import Authority
from device_manager.identities.files import write_private
from firmware.wire import topics

NOW_S = time.time()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "identities", ("citynode-broker", "broker.example"), NOW_S)


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_root_is_p256_for_ten_years_and_signs_only_leaves(authority: Authority) -> None:
    root = load(authority.root_file)
    key = root.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert (root.not_valid_after_utc - root.not_valid_before_utc).days == 3651
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    root.verify_directly_issued_by(root)


def test_broker_certificate_carries_all_its_names(authority: Authority) -> None:
    certificate = load(authority.files("broker")[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["citynode-broker", "broker.example", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    certificate.verify_directly_issued_by(load(authority.root_file))


@pytest.mark.parametrize(("file", "name"), [("manager", "citynode.manager"), ("twin", "citynode.twin")])
def test_host_client_has_a_name_that_no_node_can_have(authority: Authority, file: str, name: str) -> None:
    certificate = load(authority.files(file)[0])
    assert common_name(certificate) == name
    assert not topics.is_node_id(name)
    with pytest.raises(UsageError):
        authority.issue_node(name, NOW_S)


def test_node_certificate_names_the_node_and_serves_as_client_only(authority: Authority) -> None:
    identity = authority.issue_node("kempten-01", NOW_S)
    certificate = x509.load_der_x509_certificate(identity.certificate_der())
    assert common_name(certificate) == "kempten-01"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    now = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC)
    assert certificate.not_valid_before_utc < now - datetime.timedelta(hours=23)
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(authority.anchor_der()))


@pytest.mark.parametrize("name", ["ab", "Kempten", "a" * 33, "a b c", "a/b/c", "kempten+1", "kempten#", "", "köln-1"])
def test_node_id_that_is_none_gets_no_certificate(authority: Authority, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        authority.issue_node(name, NOW_S)
    assert "3 to 32 characters" in str(caught.value)


def test_every_certificate_is_recorded_once_with_its_own_serial(authority: Authority) -> None:
    serials = {authority.issue_node(f"kempten-{i:02}", NOW_S).certificate.serial_number for i in range(3)}
    issued = Authority.open(authority.root_file.parent).issued()
    assert [line["purpose"] for line in issued] == ["root", "server", "client", "client", "node", "node", "node"]
    assert len({line["serial"] for line in issued}) == 7
    assert {int(str(line["serial"]), 16) for line in issued[4:]} == serials


def test_private_files_are_readable_by_their_owner_only(authority: Authority) -> None:
    directory = authority.root_file.parent
    assert directory.stat().st_mode & 0o777 == 0o700
    keys = sorted(directory.glob("*.key"))
    assert [path.name for path in keys] == ["broker.key", "ca.key", "manager.key", "twin.key"]
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


def test_private_file_replaces_one_that_others_could_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for leftover in (path, tmp_path / "key.tmp"):
        leftover.write_text("old")
        leftover.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_second_authority_in_a_directory_is_refused(authority: Authority) -> None:
    with pytest.raises(SetupError, match="lock every node out"):
        Authority.create(authority.root_file.parent, ("citynode-broker",), NOW_S)


def test_missing_authority_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="run `citynode init`, or restore"):
        Authority.open(tmp_path)


def test_damaged_authority_says_what_to_do(authority: Authority) -> None:
    (authority.root_file.parent / "ca.key").write_text("not a key")
    with pytest.raises(SetupError, match="restore identities/ from a backup"):
        Authority.open(authority.root_file.parent)


def test_host_certificates_are_renewed_after_two_thirds_of_their_life(authority: Authority) -> None:
    names = ("citynode-broker", "broker.example")
    assert authority.renew(names, NOW_S + 260 * 86_400) == []
    before = load(authority.files("manager")[0])
    assert authority.renew(names, NOW_S + 270 * 86_400) == ["broker", "manager", "twin"]
    assert load(authority.files("manager")[0]).not_valid_after_utc > before.not_valid_after_utc
    assert authority.renew(names, NOW_S + 270 * 86_400) == []


def test_broker_certificate_is_renewed_when_the_settings_name_another_host(authority: Authority) -> None:
    assert authority.renew(("citynode-broker", "10.1.2.3"), NOW_S) == ["broker"]
    names = load(authority.files("broker")[0]).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("10.1.2.3") in names.get_values_for_type(x509.IPAddress)
