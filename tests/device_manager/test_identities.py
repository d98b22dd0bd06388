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
from device_manager.identities import Authority, anchors, certificates
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


def test_root_is_p256_for_ten_years_and_signs_issuers_of_leaves(authority: Authority) -> None:
    root = load(authority.root_file)
    key = root.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert (root.not_valid_after_utc - root.not_valid_before_utc).days == 3651
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 1)
    root.verify_directly_issued_by(root)
    issuer = issuer_of(authority)
    assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    issuer.verify_directly_issued_by(root)


def issuer_of(authority: Authority) -> x509.Certificate:
    return authority.anchors.issuer.certificate


def test_broker_shows_its_chain_so_that_a_node_needs_the_root_only(authority: Authority) -> None:
    leaf, issuer = x509.load_pem_x509_certificates(authority.files("broker")[0].read_bytes())
    leaf.verify_directly_issued_by(issuer)
    assert issuer == issuer_of(authority)
    assert [x509.load_der_x509_certificate(der) for der in authority.anchors_der()] == [load(authority.root_file)]


def test_root_key_can_stay_offline_and_everyday_work_goes_on(authority: Authority, tmp_path: Path) -> None:
    directory, away = authority.root_file.parent, tmp_path / "stick"
    away.mkdir()
    before = (directory / "ca.key").read_bytes()
    assert anchors.take_offline(directory, away) == [away / "ca.key"]
    assert ((away / "ca.key").read_bytes(), (away / "ca.key").stat().st_mode & 0o777) == (before, 0o600)
    assert not (directory / "ca.key").exists()
    opened = Authority.open(directory)
    opened.issue_node("kempten-01", NOW_S).certificate.verify_directly_issued_by(issuer_of(opened))
    assert opened.revoke("kempten-01", NOW_S) == 1
    later_s = NOW_S + 4 * 365 * 86_400
    assert "issuer" not in opened.renew(("citynode-broker",), later_s)
    with pytest.raises(SetupError, match="got none; bring it back from where it is kept offline"):
        anchors.sign_issuer_again(directory, later_s)
    (directory / "ca.key").write_bytes(before)
    ends = issuer_of(opened).not_valid_after_utc
    assert Authority.open(directory).renew(("citynode-broker",), later_s)[0] == "issuer"
    again = issuer_of(Authority.open(directory))
    assert again.not_valid_after_utc > ends and again.public_key() == issuer_of(opened).public_key()


class Token:
    """Keys that lie in no file, as those of a PKCS#11 token would: `identities.keys.KeyStore`."""

    def __init__(self) -> None:
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}

    def load(self, name: str) -> ec.EllipticCurvePrivateKey:
        return self.keys[name]

    def save(self, name: str, key: ec.EllipticCurvePrivateKey) -> None:
        self.keys[name] = key


def test_keys_of_the_authority_may_lie_elsewhere(tmp_path: Path) -> None:
    token = Token()
    Authority.create(tmp_path / "identities", ("citynode-broker",), NOW_S, token)
    opened = Authority.open(tmp_path / "identities", token)
    opened.issue_node("kempten-01", NOW_S).certificate.verify_directly_issued_by(issuer_of(opened))
    assert sorted(token.keys) == ["ca", "issuer"]
    assert not {"ca.key", "issuer.key"} & {path.name for path in (tmp_path / "identities").iterdir()}


def test_directory_without_an_issuer_works_as_it_did_and_gets_one_by_a_roll_over(tmp_path: Path) -> None:
    directory = tmp_path / "identities"
    made = Authority.create(directory, ("citynode-broker",), NOW_S)
    root = certificates.root("citynode CA", NOW_S, 3650)
    (directory / "ca.crt").write_bytes(root.certificate_pem())
    write_private(directory / "ca.key", root.key_pem())
    for name in ("issuer.crt", "issuer.key"):
        (directory / name).unlink()
    old = Authority.open(directory)
    old.issue_node("kempten-01", NOW_S).certificate.verify_directly_issued_by(root.certificate)
    with pytest.raises(SetupError, match="for want of an issuer"):
        anchors.take_offline(directory, tmp_path)
    anchors.begin_roll(directory, NOW_S)
    rolling = Authority.open(directory)
    assert [der for der in rolling.anchors_der()][1] == root.certificate_der()
    assert issuer_of(rolling) not in (root.certificate, made.anchors.issuer.certificate)


def test_roll_over_shows_the_old_root_until_it_ends_and_lists_revoked_ones_of_both(authority: Authority) -> None:
    directory, before = authority.root_file.parent, authority.anchors
    anchors.begin_roll(directory, NOW_S)
    with pytest.raises(SetupError, match="expected no roll-over under way, got one"):
        anchors.begin_roll(directory, NOW_S)
    rolling = Authority.open(directory)
    assert rolling.renew(("citynode-broker", "broker.example"), NOW_S) == ["manager", "twin", "mirror"]
    load(rolling.files("manager")[0]).verify_directly_issued_by(issuer_of(rolling))
    load(rolling.files("broker")[0]).verify_directly_issued_by(before.issuer.certificate)
    assert load(rolling.root_file) == before.root
    assert rolling.anchors.roots == [rolling.anchors.root, before.root]
    assert rolling.revocation_file.read_bytes().count(b"BEGIN X509 CRL") == 2
    assert rolling.anchors.trusted_pem().count(b"BEGIN CERTIFICATE") == 4
    anchors.end_roll(directory)
    after = Authority.open(directory)
    assert after.renew(("citynode-broker", "broker.example"), NOW_S) == ["broker"]
    load(after.files("broker")[0]).verify_directly_issued_by(issuer_of(after))
    assert load(after.root_file) == after.anchors.root != before.root


def test_interrupted_roll_over_is_named_and_not_worked_with(authority: Authority) -> None:
    directory = authority.root_file.parent
    write_private(directory / "issuer.key", certificates.root("x", NOW_S, 1).key_pem())
    with pytest.raises(SetupError, match=r"expected issuer\.crt and issuer\.key of one pair"):
        Authority.open(directory)


def test_each_reader_and_ingest_worker_has_an_identity_of_its_own(authority: Authority) -> None:
    certificate, key = authority.add_account("twin", "scada", NOW_S)
    authority.add_account("ingest", "worker-1", NOW_S)
    assert common_name(load(certificate)) == "citynode.twin.scada"
    assert key.stat().st_mode & 0o777 == 0o600
    assert authority.accounts() == {"citynode.twin.scada": "twin", "citynode.ingest.worker-1": "ingest"}
    with pytest.raises(UsageError, match="expected a new name"):
        authority.add_account("twin", "scada", NOW_S)
    assert "citynode.twin.scada" in authority.renew(("citynode-broker", "broker.example"), NOW_S + 270 * 86_400)
    assert authority.revoke("citynode.twin.scada", NOW_S) == 2
    assert list(authority.accounts()) == ["citynode.ingest.worker-1"]


def test_broker_certificate_carries_all_its_names(authority: Authority) -> None:
    certificate = load(authority.files("broker")[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["citynode-broker", "broker.example", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    certificate.verify_directly_issued_by(issuer_of(authority))


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
    certificate.verify_directly_issued_by(issuer_of(authority))


@pytest.mark.parametrize("name", ["ab", "Kempten", "a" * 33, "a b c", "a/b/c", "kempten+1", "kempten#", "", "köln-1"])
def test_node_id_that_is_none_gets_no_certificate(authority: Authority, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        authority.issue_node(name, NOW_S)
    assert "3 to 32 characters" in str(caught.value)


def test_every_certificate_is_recorded_once_with_its_own_serial(authority: Authority) -> None:
    serials = {authority.issue_node(f"kempten-{i:02}", NOW_S).certificate.serial_number for i in range(3)}
    issued = Authority.open(authority.root_file.parent).issued()
    assert [line["purpose"] for line in issued] == ["root", "issuer", "server", *["client"] * 3, *["node"] * 3]
    assert len({line["serial"] for line in issued}) == 9
    assert {int(str(line["serial"]), 16) for line in issued[6:]} == serials


def test_private_files_are_readable_by_their_owner_only(authority: Authority) -> None:
    directory = authority.root_file.parent
    assert directory.stat().st_mode & 0o777 == 0o700
    keys = sorted(directory.glob("*.key"))
    names = ["broker.key", "ca.key", "issuer.key", "manager.key", "mirror.key", "twin.key"]
    assert [path.name for path in keys] == names
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
    (authority.root_file.parent / "issuer.key").write_text("not a key")
    with pytest.raises(SetupError, match="restore identities/ from a backup"):
        Authority.open(authority.root_file.parent)


def test_host_certificates_are_renewed_after_two_thirds_of_their_life(authority: Authority) -> None:
    names = ("citynode-broker", "broker.example")
    assert authority.renew(names, NOW_S + 260 * 86_400) == []
    before = load(authority.files("manager")[0])
    assert authority.renew(names, NOW_S + 270 * 86_400) == ["broker", "manager", "twin", "mirror"]
    assert load(authority.files("manager")[0]).not_valid_after_utc > before.not_valid_after_utc
    assert authority.renew(names, NOW_S + 270 * 86_400) == []


def test_broker_certificate_is_renewed_when_the_settings_name_another_host(authority: Authority) -> None:
    assert authority.renew(("citynode-broker", "10.1.2.3"), NOW_S) == ["broker"]
    names = load(authority.files("broker")[0]).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("10.1.2.3") in names.get_values_for_type(x509.IPAddress)
