#!/bin/sh
# What PostgreSQL's container does once, for a new volume: make the lottery's database, and a role
# that owns it and may do nothing else. From then on the superuser cannot log in but by the socket
# within the container: docker compose exec postgres psql -U postgres
set -eu
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE lottery LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE DATABASE lottery OWNER lottery;
REVOKE ALL ON DATABASE lottery FROM PUBLIC;
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
