"""Tokens and secrets of AWS: signatures by its specification, and errors of one line."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.credentials import Credentials
from botocore.hooks import HierarchicalEmitter
from botocore.model import ServiceId
from botocore.session import get_session
from botocore.signers import RequestSigner

from engines.endpoints import aws
from engines.endpoints import credentials as secret
from engines.endpoints.credential_sources import (
    CacheToken,
    Credential,
    CredentialSource,
    FromSecretsManager,
    RdsToken,
    SecretError,
)

KEY_ID, KEY, SESSION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzE+/="
RDS_HOST = "db.cluster-abc.eu-central-1.rds.amazonaws.com"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials in the environment; no configuration of this machine's, and nobody to ask for more."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)


# -------------------------------------------------------------------- Signature Version 4, by its specification


def signature(url: str, query: Mapping[str, str], key: str, service: str, payload_hash: str) -> str:
    """Of a presigned GET whose only header is its host ("Create a signed AWS API request", IAM User Guide)."""
    parts = urlsplit(url)
    date = query["X-Amz-Date"]
    day, region = date[:8], query["X-Amz-Credential"].split("/")[2]
    canonical_query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(query.items())
    )
    canonical = f"GET\n{parts.path}\n{canonical_query}\nhost:{parts.netloc}\n\nhost\n{payload_hash}"
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signing = f"AWS4{key}".encode()
    for part in (day, region, service, "aws4_request"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    return hmac.new(signing, to_sign.encode(), hashlib.sha256).hexdigest()


def test_the_test_s_own_signature_is_that_of_a_published_example() -> None:
    """ "Authenticating Requests: Using Query Parameters", Amazon S3 API Reference."""
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
        "X-Amz-Date": "20130524T000000Z",
        "X-Amz-Expires": "86400",
        "X-Amz-SignedHeaders": "host",
    }
    url = "https://examplebucket.s3.amazonaws.com/test.txt"
    assert (
        signature(url, query, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3", "UNSIGNED-PAYLOAD")
        == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


TOKENS = [
    (
        lambda: aws.rds_token(RDS_HOST, 3306, "us er@x"),
        "rds-db",
        "eu-central-1",
        {"DBUser": "us er@x"},
    ),
    (
        lambda: aws.rds_token("tunnel.example", 13306, "u", "us-gov-west-1"),
        "rds-db",
        "us-gov-west-1",
        {"DBUser": "u"},
    ),
    (
        lambda: aws.cache_token("elasticache", "my-cache", "bob", "eu-west-1"),
        "elasticache",
        "eu-west-1",
        {"User": "bob"},
    ),
    (
        lambda: aws.cache_token("elasticache-serverless", "my-cache", "bob", "eu-west-1"),
        "elasticache",
        "eu-west-1",
        {"User": "bob", "ResourceType": "ServerlessCache"},
    ),
    (
        lambda: aws.cache_token("memorydb", "my-cluster", "bob", "ap-southeast-2"),
        "memorydb",
        "ap-southeast-2",
        {"User": "bob"},
    ),
]


@pytest.mark.parametrize(("made", "service", "region", "expected_query"), TOKENS)
def test_a_token_is_signed_by_the_specification(
    made: Any, service: str, region: str, expected_query: dict[str, str]
) -> None:
    token = made()
    assert "://" not in token
    query = dict(parse_qsl(urlsplit(f"https://{token}").query, strict_parsing=True))
    signed = query.pop("X-Amz-Signature")
    assert signed == signature(
        f"https://{token}", query, KEY, service, hashlib.sha256(b"").hexdigest()
    )
    day = query.pop("X-Amz-Date")[:8]
    assert query == {
        "Action": "connect",
        **expected_query,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{KEY_ID}/{day}/{region}/{service}/aws4_request",
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Security-Token": SESSION,
    }


def same_second(one: Any, two: Any) -> tuple[str, str]:
    """What both say when the clock does not tick between them."""
    for _ in range(20):
        first, second, again = one(), two(), one()
        if first == again:
            return first, second
    raise AssertionError("the clock ticks too fast")


def test_the_token_of_rds_is_botocore_s_own() -> None:
    client = get_session().create_client("rds", region_name="eu-central-1")
    ours, theirs = same_second(
        lambda: aws.rds_token(RDS_HOST, 3306, "telemon"),
        lambda: client.generate_db_auth_token(RDS_HOST, 3306, "telemon"),
    )
    assert ours == theirs


@pytest.mark.parametrize("service", ["elasticache", "elasticache-serverless", "memorydb"])
def test_the_tokens_of_caches_are_those_of_botocore_s_request_signer(service: str) -> None:
    name = service.partition("-")[0]
    emitter = HierarchicalEmitter()  # the signer holds it by a weak reference
    signer = RequestSigner(
        ServiceId(name),
        "eu-west-1",
        name,
        "v4",
        Credentials(KEY_ID, KEY, SESSION),
        emitter,
    )
    url = "https://my-cache/?Action=connect&User=telemon"
    if service.endswith("serverless"):
        url += "&ResourceType=ServerlessCache"
    request = {"method": "GET", "url": url, "body": {}, "headers": {}, "context": {}}
    ours, theirs = same_second(
        lambda: aws.cache_token(service, "my-cache", "telemon", "eu-west-1"),
        lambda: signer.generate_presigned_url(
            dict(request), "connect", expires_in=900, region_name="eu-west-1"
        ),
    )
    assert f"https://{ours}" == theirs


def test_the_region_is_the_one_given_then_the_host_s_then_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def region(token: str) -> str:
        query = dict(parse_qsl(urlsplit(f"https://{token}").query))
        return query["X-Amz-Credential"].split("/")[2]

    with pytest.raises(aws.AwsError, match="no region is known; set region, or AWS_REGION"):
        aws.cache_token("memorydb", "c", "u")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert region(aws.cache_token("memorydb", "c", "u")) == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")
    assert region(aws.cache_token("memorydb", "c", "u")) == "eu-south-1"
    assert region(aws.rds_token(RDS_HOST, 3306, "u")) == "eu-central-1"
    assert region(aws.rds_token(RDS_HOST, 3306, "u", "us-east-1")) == "us-east-1"


def test_a_token_is_kept_for_ten_minutes_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(secret, "monotonic", lambda: now_s)
    made: list[str] = []

    def token(*_: object) -> str:
        made.append(f"token {len(made)}")
        return made[-1]

    monkeypatch.setattr(aws, "rds_token", token)
    source = RdsToken("h", 3306, "only-in-this-test")
    assert secret.credential(source) == Credential("token 0")
    now_s += 599
    assert secret.credential(source) == Credential("token 0")
    now_s += 2
    assert secret.credential(source) == Credential("token 1")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (RdsToken(RDS_HOST, 3306, "u"), f"no IAM token for u@{RDS_HOST}: "),
        (CacheToken("memorydb", "c", "u", "eu-west-1"), "no IAM token for u at c: "),
        (FromSecretsManager("name", "eu-west-1"), "name (password_secret): "),
    ],
)
def test_without_botocore_and_without_credentials_one_line_says_what_to_do(
    source: CredentialSource, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(SecretError) as raised:
        source.fetch()
    assert str(raised.value).startswith(expected)
    assert "credentials" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1

    imported = builtins.__import__

    def without_botocore(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("botocore"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_botocore)
    with pytest.raises(SecretError) as raised:
        source.fetch()
    assert str(raised.value) == (
        f"{expected}needs botocore, which is not installed; pip install 'telemon[aws]'"
    )


# -------------------------------------------------------------------- Secrets Manager


class SecretsManager(BaseHTTPRequestHandler):
    """The one operation that is used, as its API reference has it: JSON in, JSON out, the operation in a header."""

    secrets: ClassVar[dict[str, Any]] = {}
    authorization = ""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
        type(self).authorization = self.headers["Authorization"]
        value = self.secrets.get(body["SecretId"])
        answer: dict[str, Any] = {"SecretString": value}
        if value is None:
            answer = {
                "__type": "ResourceNotFoundException",
                "message": "Secrets Manager can't find the specified secret.",
            }
        content = json.dumps(answer).encode()
        self.send_response(200 if value is not None else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    server = HTTPServer(("127.0.0.1", 0), SecretsManager)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{server.server_port}")
    SecretsManager.secrets = {}
    try:
        yield SecretsManager.secrets
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


ARN = "arn:aws:secretsmanager:sa-east-1:111122223333:secret:rds!cluster-0a"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (json.dumps({"username": "bob", "password": "p w", "host": "h"}), Credential("p w", "bob")),
        (json.dumps({"password": "p"}), Credential("p")),
        ("just a password", Credential("just a password")),
        ("{not json", Credential("{not json")),
    ],
)
def test_a_secret_is_what_rds_writes_or_a_password(
    secrets: dict[str, Any], value: str, expected: Credential
) -> None:
    secrets[ARN] = value
    assert FromSecretsManager(ARN).fetch() == expected
    # Signed for the region in the ARN.
    assert "/sa-east-1/secretsmanager/aws4_request" in SecretsManager.authorization


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "ResourceNotFoundException"),
        (json.dumps({"username": "bob"}), 'the secret is JSON without a "password"'),
        (json.dumps({"password": 5}), 'the secret is JSON without a "password"'),
        ("", "the secret holds no text"),
    ],
)
def test_a_secret_that_is_none_is_one_line(
    secrets: dict[str, Any], value: str | None, expected: str
) -> None:
    if value is not None:
        secrets[ARN] = value
    with pytest.raises(SecretError) as raised:
        FromSecretsManager(ARN).fetch()
    assert expected in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
