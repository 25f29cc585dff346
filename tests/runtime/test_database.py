"""Connections to PostgreSQL."""

import os
import socket

import pytest
from sqlalchemy import Engine


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_host_that_vanishes_is_noticed_within_a_minute(engine: Engine) -> None:
    """The kernel asks it for signs of life; a host that is gone cannot be had in a test."""
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        with socket.socket(fileno=os.dup(raw.fileno())) as line:

            def option(number: int) -> int:
                return line.getsockopt(socket.IPPROTO_TCP, number)

            patience = option(socket.TCP_KEEPIDLE) + option(socket.TCP_KEEPINTVL) * option(
                socket.TCP_KEEPCNT
            )
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert patience < 60
            assert option(socket.TCP_USER_TIMEOUT) < 60_000
