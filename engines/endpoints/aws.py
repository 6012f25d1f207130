"""Requests to AWS: IAM authentication tokens and secrets. Needs the extra `telemon[aws]`."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import urlencode

from engines.endpoints.redaction import foreign_text, register

TOKEN_EXPIRES_S = 900
"""The longest lifetime of a token that RDS, ElastiCache and MemoryDB accept."""

SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Environment variables whose values no text may show."""

CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 5

REGION_IN_HOST = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-[0-9]+)\.rds\.amazonaws\.com")
REGION_IN_ARN = re.compile(r"arn:[a-z-]+:secretsmanager:([a-z0-9-]+):")


class AwsError(Exception):
    """A request to AWS failed, or what it needs is missing; one line."""


def rds_token(host: str, port: int, user: str, region: str | None = None) -> str:
    """Return a password for `user` at an RDS or Aurora endpoint with IAM authentication; valid for 15 minutes.

    The password is a presigned request without its scheme (RDS User Guide, "IAM database authentication"). If `region`
    is None, it is read from the host name, otherwise from the configuration of AWS. Raises AwsError.
    """
    found = REGION_IN_HOST.search(host)
    query = {"Action": "connect", "DBUser": user}
    return _presigned(f"{host}:{port}", query, "rds-db", region or (found[1] if found else None))


def cache_token(service: str, name: str, user: str, region: str | None = None) -> str:
    """Return a password for `user` at the cluster `name`; valid for 15 minutes.

    `service` is "elasticache", "elasticache-serverless" or "memorydb". The password is a presigned request without its
    scheme (ElastiCache User Guide and MemoryDB Developer Guide, "Authenticating with IAM"). Raises AwsError.
    """
    query = {"Action": "connect", "User": user}
    if service == "elasticache-serverless":
        query["ResourceType"] = "ServerlessCache"
    return _presigned(name, query, service.partition("-")[0], region)


def secret_value(secret_id: str, region: str | None = None) -> tuple[str | None, str]:
    """Return user (None if the secret has none) and password of a secret in Secrets Manager.

    The secret is JSON with "username" and "password", as RDS writes it, or the password alone. Blocks for the request.
    Raises AwsError.
    """
    session = _session()
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    found = REGION_IN_ARN.match(secret_id)
    try:
        client = session.create_client(
            "secretsmanager",
            region_name=_region(session, region or (found[1] if found else None)),
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                retries={"mode": "standard", "total_max_attempts": 2},
            ),
        )
        text = client.get_secret_value(SecretId=secret_id).get("SecretString")
    except (BotoCoreError, ClientError) as error:
        raise AwsError(foreign_text(error)) from None
    return _user_and_password(text)


def _user_and_password(text: object) -> tuple[str | None, str]:
    """Return user (None if absent) and password in the text of a secret; raise AwsError if there is none."""
    if not isinstance(text, str) or not text:
        raise AwsError("the secret holds no text")
    if not text.lstrip().startswith("{"):
        return None, text
    try:
        fields = json.loads(text)
    except ValueError:
        return None, text  # a password may start with a brace
    user, password = fields.get("username"), fields.get("password")
    if not isinstance(password, str) or not password:
        raise AwsError('the secret is JSON without a "password"')
    return user if isinstance(user, str) and user else None, password


def _presigned(netloc: str, query: dict[str, str], service: str, region: str | None) -> str:
    """Return a GET of `netloc` signed in its query (Signature Version 4), without its scheme."""
    session = _session()
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError

    try:
        region = _region(session, region)
        credentials = session.get_credentials()
        if credentials is None:
            raise AwsError(
                "AWS credentials were found nowhere: not in the environment, a profile or this machine's role"
            )
        for secret in (credentials.secret_key, credentials.token):
            register(secret or "")
        request = AWSRequest("GET", f"https://{netloc}/?{urlencode(query)}")
        SigV4QueryAuth(
            credentials.get_frozen_credentials(), service, region, expires=TOKEN_EXPIRES_S
        ).add_auth(request)
    except BotoCoreError as error:
        raise AwsError(foreign_text(error)) from None
    return str(request.url).removeprefix("https://")


def _session() -> Any:
    """Return a botocore session; raise AwsError if botocore is not installed."""
    try:
        from botocore.session import get_session
    except ImportError:
        raise AwsError(
            "needs botocore, which is not installed; pip install 'telemon[aws]'"
        ) from None
    for name in SECRET_VARIABLES:
        register(os.environ.get(name, ""))
    return get_session()


def _region(session: Any, region: str | None) -> str:
    """Return the region to use; raise AwsError if none is configured."""
    # botocore does not read AWS_REGION, but every newer SDK does.
    found = region or session.get_config_variable("region") or os.environ.get("AWS_REGION")
    if not found:
        raise AwsError("no region is known; set region, or AWS_REGION in the environment")
    return str(found)
