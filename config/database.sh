#!/bin/sh
# Initialises PostgreSQL in a new volume: creates the lottery's database, and a role that owns it and has
# no other rights. Afterwards the superuser can log in only by the socket in the container: docker compose exec postgres psql -U postgres
set -eu
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE lottery LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE DATABASE lottery OWNER lottery;
REVOKE ALL ON DATABASE lottery FROM PUBLIC;
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
