"""Where the rules of house.yml fire, and where they do not; read by semgrep, run by nobody."""

# ruleid: text-built-sql
session.execute(text(f"SELECT * FROM {table}"))
# ruleid: text-built-sql
connection.exec_driver_sql("SELECT * FROM users WHERE name = '%s'" % name)
# ruleid: text-built-sql
connection.execute("SELECT * FROM users WHERE id = " + number)
# ruleid: text-built-sql
session.scalars(text("SELECT {}".format(column)))
# ok: text-built-sql
session.execute(text("SELECT * FROM users WHERE id = :id"), {"id": number})

# ruleid: built-markup
Markup(f"<b>{name}</b>")
# ruleid: built-markup
Markup("<b>%s</b>" % name)
# ok: built-markup
Markup("<b>%s</b>") % name

# ruleid: guessable-random
token = random.getrandbits(128)
# ruleid: guessable-random
salt = random.choice(letters)
# ok: guessable-random
pause = random.uniform(0, 60)
# ok: guessable-random
token = secrets.token_urlsafe(32)

# ruleid: secrets-compared-by-equality
if token == given:
    pass
# ruleid: secrets-compared-by-equality
if session.csrf_token != given:
    pass
# ok: secrets-compared-by-equality
found = select(cls.id).where(cls.token == given)
# ok: secrets-compared-by-equality
if hmac.compare_digest(token, given):
    pass

# ruleid: secret-logged
log.info("log-in of %s by %s", username, password)
# ruleid: secret-logged
self._log.warning("the day's secret is %s", day.seed)
# ruleid: secret-logged
logger.error("odd cookie %s", request.cookies)
# ok: secret-logged
log.info("log-in of %s", username)


def _host():
    # ruleid: header-parsed
    return urlsplit(request.headers.get("Origin")).netloc


def _size():
    size = request.headers["Content-Length"]
    # ruleid: header-parsed
    return int(size)


def _bounded():
    try:
        # ok: header-parsed
        return urlsplit(request.headers.get("Origin")).netloc
    except ValueError:
        return None


# ruleid: body-of-another-kind
count = request.get_json()["count"]
# ruleid: body-of-another-kind
upload = request.files["prize"]
# ok: body-of-another-kind
count = request.form["count"]

# ruleid: clock-read
now = datetime.now(UTC)
# ruleid: clock-read
now = time.time()
# ok: clock-read
now = utcnow()

# ruleid: commit-outside-the-edge
session.commit()

# ruleid: shell
subprocess.run(f"cp {name} /tmp", shell=True)
# ruleid: shell
os.system(command)
# ok: shell
subprocess.run(["cp", name, "/tmp"], check=True)

# ruleid: runs-what-it-reads
eval(request.args["sum"])
# ruleid: runs-what-it-reads
pickle.loads(body)
# ok: runs-what-it-reads
json.loads(body)


def _back():
    # ruleid: redirect-to-what-was-sent
    return redirect(request.args["next"])


def _back_here():
    # ok: redirect-to-what-was-sent
    return redirect(own_path(request.args.get("next")) or url_for("lotteries.index"))
