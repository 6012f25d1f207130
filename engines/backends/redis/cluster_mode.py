"""Whether a Redis or Valkey server is in a cluster. A race, prepare, clean and the doctor ask by the same function."""

from __future__ import annotations

from dataclasses import dataclass, replace

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, ResponseError

from engines.backends.redis.client import (
    ClusterModeError,
    address_of,
    check_cluster,
    client,
    is_clustered,
    slot_ranges,
)
from engines.backends.redis.optional import info
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.redaction import foreign_text
from engines.wire.redis_info import product_and_version

NO_REPLICAS = (
    'it is in no cluster, and only those of a cluster are read from: set read_from = "primaries"'
)
"""Why a server in no cluster is refused where replicas are to be read from."""


@dataclass(frozen=True, slots=True)
class ClusterMode:
    """What a server is taken for.

    `refusal` is its error for CLUSTER SLOTS; empty if it has answered, or was not asked. `shown` says whether the
    server itself says what it is. `product` is its name as far as it tells.
    """

    clustered: bool
    refusal: str = ""
    shown: bool = True
    product: str = "Redis"

    def applied_to(self, endpoint: RedisEndpoint) -> RedisEndpoint:
        """Return the endpoint with what is known of its server."""
        return replace(endpoint, cluster=self.clustered, product=self.product)


def read_cluster_mode(node: Redis, endpoint: RedisEndpoint) -> ClusterMode:
    """Return the mode of `node`, which is the endpoint itself. Blocks.

    If the configuration says that it is in no cluster, no CLUSTER command is sent. If it leaves the mode open, a server
    that refuses to tell is taken for one in no cluster. If it says that it is in one, a user who may not ask trusts it.
    Raises redis.RedisError: ClusterModeError if the configuration contradicts the server, and the server's own error if
    it is in a cluster that it does not describe. Replicas to read from need a cluster, too.
    """
    mode = _mode(node, endpoint)
    if endpoint.read_replicas and not mode.clustered:
        raise ClusterModeError(NO_REPLICAS)
    return mode


def _mode(node: Redis, endpoint: RedisEndpoint) -> ClusterMode:
    if endpoint.cluster is False:
        shown = is_clustered(node)
        if shown:
            raise ClusterModeError('it is part of a cluster: set cluster to "auto" or "on"')
        return ClusterMode(False, shown=shown is not None)
    # A server that cannot be reached refuses nothing.
    node.connection_pool.release(node.connection_pool.get_connection())
    try:
        ranges = slot_ranges(node, address_of(endpoint), endpoint)
    except (ResponseError, RedisConnectionError) as error:
        # Some proxies hang up on a command that they do not know. Subclasses of the error of a connection say that the
        # server is loading, or wants another password.
        if not isinstance(error, ResponseError) and type(error) is not RedisConnectionError:
            raise
        if endpoint.cluster and isinstance(error, NoPermissionError):
            return ClusterMode(True, foreign_text(error), shown=False)
        shown = None if endpoint.cluster else is_clustered(node)
        if endpoint.cluster or shown:
            raise
        return ClusterMode(False, foreign_text(error), shown is not None)
    check_cluster(endpoint, ranges)
    return ClusterMode(ranges is not None)


def ask_cluster_mode(endpoint: RedisEndpoint) -> ClusterMode:
    """Return mode and product, over an own connection. Raises one of FAILURES of engines.backends.redis.client."""
    with client(address_of(endpoint), endpoint) as node:
        mode = read_cluster_mode(node, endpoint)
        return replace(mode, product=product_and_version(info(node, "server"))[0])


def resolve_cluster_mode(endpoint: RedisEndpoint) -> RedisEndpoint:
    """Return `endpoint` with what is known of its server. Blocks. Raises as `ask_cluster_mode`."""
    return ask_cluster_mode(endpoint).applied_to(endpoint)
