"""Commands for operators: `flask --app lottery_system ...`."""

import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import click
from flask import Flask
from flask.cli import with_appcontext
from flask_migrate import upgrade
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from config.demo import DemoRuns, empty_folder, lock_folder
from lottery_system import draws, due_draws
from lottery_system.audit import audit
from lottery_system.audit.heads import read_head
from lottery_system.audit.progress import Progress, ProgressLine
from lottery_system.certificates import keys_of
from lottery_system.clock import day_of, parse_day, utcnow
from lottery_system.clock_check import CAUSE as CLOCK
from lottery_system.closing_check import ClosingCheck
from lottery_system.commands import DatabaseGroup, ReportingGroup, reason_of, reporting
from lottery_system.demo.month import Month
from lottery_system.errors import Paused
from lottery_system.extensions import db, new_session, reading, transaction
from lottery_system.fairness.note import Checkpoint, note_text, parse_vkey
from lottery_system.fairness.pin import format_pin
from lottery_system.fairness.recovery import parse_recovery
from lottery_system.keys import CHAIN_TIP, LOG_KEY
from lottery_system.log_export import Exporter
from lottery_system.mark import Mark
from lottery_system.models import AccountEvent, AccountEventKind, Limits, Lottery, Mail, User
from lottery_system.models.claim import hand_over, lapse
from lottery_system.models.password_reset import make_reset_link
from lottery_system.models.rights import set_organiser
from lottery_system.models.second_factor import remove_factors
from lottery_system.moving import move, target_of
from lottery_system.parts import checked_transaction, parts
from lottery_system.passwords import enforce_password, hash_password
from lottery_system.queries.claims import to_hand_over
from lottery_system.queries.day import look_up
from lottery_system.queries.logs import last_record
from lottery_system.queries.site import load_site
from lottery_system.recovery import (
    NothingLost,
    assess,
    describe,
    describe_replacement,
    intact,
    recover,
    replace_keys,
)
from lottery_system.rollback import Rollback
from lottery_system.runtime.database import READING, reading_engine, snapshot, wait_for_access
from lottery_system.usernames import enforce_username
from lottery_system.witnesses import CAUSE as WITNESS

user = DatabaseGroup("user", help="Participants and organisers.")
lottery = DatabaseGroup("lottery", help="Lotteries.")
draw = DatabaseGroup("draw", help="The draws of the days.")
mail = DatabaseGroup("mail", help="Mails that wait, and those that could not be sent.")
prize = DatabaseGroup("prize", help="The prizes that were won, and who claims them.")
demo = ReportingGroup("demo", help="A month to look at, in which nothing counts.")

NO_MARK = (
    "There is no high-water mark, so that nothing is known of a loss. The lottery makes one when "
    "it starts."
)

#: mails that `mail list` prints
MAILS_LISTED = 100

#: name, prize and days that each stays open
DEMO = (
    ("Big Chance", "A weekend for two by the sea.", 30),
    ("Extra Win", "A basket of cheese, bread and apples.", 7),
)


def register(app: Flask) -> None:
    """Give an application its commands."""
    for group in (user, lottery, draw, prize, mail, demo):
        app.cli.add_command(group)
    migrations = app.cli.commands["db"]  # Flask-Migrate's
    assert isinstance(migrations, click.Group)
    migrations.add_command(move_database)
    migrations.add_command(wait_for_database)
    app.cli.add_command(reporting(migrations))


class Day(click.ParamType[date]):
    """A UTC day, `YYYY-MM-DD`."""

    name = "DATE"

    def convert(
        self, value: str | date, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        day = value if isinstance(value, date) else parse_day(value)
        if day is None:
            self.fail(f"{value!r} is not a date; write it like 2026-12-31.", param, ctx)
        return day


@user.command("create")
@click.argument("name")
@click.option("--organiser", is_flag=True, help="May create and change lotteries.")
def create_user(name: str, organiser: bool) -> None:
    """Create a user; asks for the password, or reads it from standard input."""
    text = _password()
    username = enforce_username(name)
    technical_name = parts().settings.name
    with reading() as connection:
        title = load_site(connection, technical_name).title
    password = enforce_password(text, username, technical_name, title)
    created = User.sign_up(username, hash_password(password), utcnow(), is_organiser=organiser)
    try:
        with transaction() as session:
            session.add(created)
            session.flush()
            AccountEvent.record(
                session, created.id, AccountEventKind.SIGNED_UP, utcnow(), by_command=True
            )
    except IntegrityError:
        raise click.ClickException(
            f"{username!r} is taken, or looks too similar to a username that is."
        ) from None
    click.echo(f"Created {'organiser' if organiser else 'participant'} {username}.")


@user.command("promote")
@click.argument("name")
def promote(name: str) -> None:
    """Make a user an organiser."""
    _set_organiser(name, True)


@user.command("demote")
@click.argument("name")
def demote(name: str) -> None:
    """Make an organiser a participant."""
    _set_organiser(name, False)


@user.command("reset-link")
@click.argument("name")
def print_reset_link(name: str) -> None:
    """Print a link that sets a new password for a user: once, within a day."""
    with transaction() as session:
        holder = _find_user(session, name)
        token = make_reset_link(session, holder.id, utcnow(), by_command=True)
    root = parts().settings.url
    click.echo(f"{root or '/'}new-password?link={token}")
    if not root:
        click.echo("LOTTERY_URL is not set: put the site's address in front of it.", err=True)
    click.echo(
        f"It works once, for a day, for whoever has it: give it to {holder.username} alone. "
        "It is not shown again.",
        err=True,
    )


@user.command("remove-second-factors")
@click.argument("name")
def remove_second_factors(name: str) -> None:
    """Remove passkeys, authenticator app and recovery codes of somebody who has lost them."""
    with transaction() as session:
        holder = remove_factors(session, _find_user(session, name).id, utcnow())
    click.echo(
        f"{holder.username} logs in with the password alone again. All their log-ins have ended."
    )


@mail.command("list")
def list_mails() -> None:
    """List the mails that were set aside, and why; without addresses."""
    with reading() as connection:
        waiting, set_aside = Mail.counts(connection)
        rows = Mail.listed(connection, limit=MAILS_LISTED)
    click.echo(f"{waiting} {'mail waits' if waiting == 1 else 'mails wait'}. ", nl=False)
    click.echo(f"{set_aside} set aside:" if set_aside else "None was set aside.")
    for row in rows:
        at = row.set_aside_at.strftime("%Y-%m-%d %H:%M") if row.set_aside_at else ""
        click.echo(f"{row.id}  {row.kind}  {row.username}  {at}  {row.reason or ''}")
    if set_aside > len(rows):
        click.echo(f"... and {set_aside - len(rows)} more")


@mail.command("retry")
@click.argument("ids", nargs=-1, type=int, metavar="[NUMBER]...")
def retry_mails(ids: tuple[int, ...]) -> None:
    """Send mails that were set aside again: all, or those with these numbers."""
    with transaction() as session:
        count = Mail.retry(session, utcnow(), ids)
    if not count:
        click.echo("No mails to try again.")
        return
    click.echo(f"{count} {'mail is' if count == 1 else 'mails are'} tried again.")


@lottery.command("create")
@click.argument("name")
@click.option("--closes-on", required=True, type=Day(), help="The last day that takes ballots.")
@click.option("--opens-on", type=Day(), help="The first day that takes ballots; today if left out.")
@click.option("--prize", "text", default="", help="What can be won.")
@click.option("--claim", default="", help="How and where winners get it.")
@click.option("--most-a-day", type=click.IntRange(1), help="Ballots per person a day, at most.")
@click.option("--winnable", type=click.IntRange(1), help="How often it can be won; else each day.")
def create_lottery(
    name: str,
    closes_on: date,
    opens_on: date | None,
    text: str,
    claim: str,
    **limits: int | None,
) -> None:
    """Create a lottery."""
    created = Lottery.create(
        name, text, closes_on, utcnow(), opens_on=opens_on, claim=claim, limits=Limits(**limits)
    )
    name = created.name
    try:
        with transaction() as session:
            session.add(created)
    except IntegrityError:
        raise click.ClickException(f"There is a lottery named {name!r} already.") from None
    since = f"open from {opens_on} to" if opens_on else "open until"
    click.echo(f"Created lottery {name!r}, {since} the end of {closes_on} UTC.")


@lottery.command("demo")
@click.option("--if-empty", is_flag=True, help="Only if there is no lottery.")
def create_demo(if_empty: bool) -> None:
    """Create two lotteries to play with, Big Chance and Extra Win; not in production."""
    if parts().settings.is_production:
        if if_empty:
            return
        raise click.ClickException(
            "Lotteries to play with have no place in production, where nobody could tell them from "
            "real ones. Use `flask --app lottery_system lottery create`."
        )
    now = utcnow()
    with transaction() as session:
        existing = set(session.scalars(select(Lottery.name)))
        if if_empty and existing:
            return
        for name, prize, days in DEMO:
            if name in existing:
                click.echo(f"There is a lottery named {name!r} already.")
                continue
            closes_on = day_of(now) + timedelta(days=days)
            session.add(Lottery.create(name, prize, closes_on, now))
            click.echo(f"Created lottery {name!r}, open until the end of {closes_on} UTC.")


@draw.command("run")
@click.option(
    "--confirm", is_flag=True, help="Accept any number of missed days; check the clock first."
)
def run_draws(confirm: bool) -> None:
    """Close and draw whatever is due. Safe at any time, any number at once."""
    clock_check = parts().clock_check
    check = ClosingCheck(parts().settings, clock_check, is_confirmed=confirm)
    with new_session() as session:
        now = clock_check.look(session)
        parts().pause.refuse()
        drawn = due_draws.run(session, now, parts(), check)
        waiting = draws.waiting(session)
    for day in drawn:
        _show(day)
    for freeze in waiting:
        click.echo(f"The draw of {freeze.day} waits for round {freeze.round} of the beacon.")
    if check.held is not None:
        raise click.ClickException(check.held)
    if not drawn and not waiting:
        click.echo("Nothing is due.")


@draw.command("beacon")
@click.argument("number", metavar="ROUND", type=click.IntRange(1))
@click.argument("signature", metavar="SIGNATURE")
def hand_in_beacon(number: int, signature: str) -> None:
    """Draw what waits for a round of the beacon, by its signature (96 hex digits).

    For a server that cannot reach a relay. The signature is verified before it is used.
    """
    now = utcnow()
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        raise click.ClickException("A signature is written as 96 hex digits.") from None
    with new_session() as session:
        log_keys = parts().keyring.log_keys()
        # by what is kept of witnesses: a server without a network can ask none
        parts().witnesses.judge(log_keys)
        parts().pause.refuse_draws()
        drawn = draws.hand_in(
            session,
            now,
            number,
            given,
            log_keys,
            rollback=parts().rollback,
            claim_days=parts().settings.claim_days,
        )
    for day in drawn:
        _show(day)


@draw.command("recover")
def recover_draws() -> None:
    """Go on after the database was lost beyond its newest backup; asks before it does anything."""
    rollback, settings, pause = parts().rollback, parts().settings, parts().pause
    with new_session() as session:
        now = parts().clock_check.look(session)
    pause.refuse(CLOCK)
    with reading() as connection:
        mark = _mark_read(rollback, connection)
        if mark is None:
            return
        is_sound = rollback.look(connection)
        if not is_sound:
            _demand_lost(connection, mark)
    log_keys, witnesses = parts().keyring.load_to_end(), parts().witnesses
    # where the mark knows of no loss, they are asked as each tick asks, so that claims count, too
    if is_sound:
        witnesses.look(log_keys)
    else:
        witnesses.learn(log_keys)
    with reading() as connection:
        published = witnesses.published(connection, mark, log_keys)
        if is_sound and published == mark:
            pause.refuse(WITNESS)  # one that shows nothing: no loss can be stated by its word
            click.echo("The database has all that was published. Nothing needs to be recovered.")
            return
        mark, shown = published, assess(connection, published)
    click.echo(describe(shown))
    _demand_name("Type the lottery's name to go on without what is lost")
    with new_session() as session:
        statement = recover(session, settings, log_keys, mark=mark, shown=shown, now=now)
        with reading() as connection:
            rollback.begin_anew(connection)
    _show_statement(statement, shown.timeline + 1)


@draw.command("replace-keys")
def replace_log_keys() -> None:
    """Go on under new keys, such as after a leak, or where chain_tip is lost; asks first.

    Nothing may be lost: a loss is stated by `draw recover`, which makes new keys, too.
    """
    rollback, pause, witnesses = parts().rollback, parts().pause, parts().witnesses
    with new_session() as session:
        now = parts().clock_check.look(session)
    log_keys = parts().keyring.load_to_end()
    if rollback.read() is None:
        raise click.ClickException(NO_MARK)
    with reading() as connection:
        rollback.look(connection)
    witnesses.look(log_keys)
    pause.refuse()
    with reading() as connection:
        mark = rollback.read()
        assert mark is not None
        shown = intact(connection, mark)
    with new_session() as session:
        waiting = [freeze.day for freeze in draws.waiting(session)]
    click.echo(describe_replacement(shown, waiting))
    _demand_name("Type the lottery's name to replace its keys")
    mark = rollback.read() or mark  # which may have risen while this waited
    with new_session() as session:
        statement = replace_keys(
            session, parts().settings, log_keys, mark=mark, shown=shown, now=now
        )
        with reading() as connection:
            rollback.begin_anew(connection)
    _show_statement(statement, shown.timeline + 1)


def _show_statement(statement: str, timeline: int) -> None:
    """Print the statement that began a journal, and say what is to be done next."""
    storage, witnesses = parts().settings.storage, parts().witnesses
    stated = parse_recovery(note_text(statement))
    pin = format_pin(parse_vkey(stated.next), stated.begins)
    ended = " and ".join(f"{name}.ended-{timeline - 1}" for name in (LOG_KEY, CHAIN_TIP))
    click.echo(statement)
    click.echo(
        f"The statement is published at /log/recovery/{timeline}. New keys are in {storage}: back "
        f"them up, copy them to all hosts, and publish the new pin. The old ones stay there as "
        f"{ended}. Then start the lottery. The pin:\n{pin}"
    )
    if witnesses.policy is not None:
        click.echo(
            "Send the statement and the new key to whoever runs the witnesses: until they know it, "
            "they cosign nothing. If LOTTERY_WITNESSES has a line log, put the new key there."
        )


def _demand_lost(connection: Connection, mark: Mark) -> None:
    """Refuse to go on where nothing is lost that could be stated.

    Raises:
        Paused: the database has no journal or another lottery's, or it is the mark that is wrong.
        NothingLost: it has all.
    """
    try:
        assess(connection, mark)
    except NothingLost:
        parts().pause.refuse()
        raise


def _mark_read(rollback: Rollback, connection: Connection) -> Mark | None:
    """Return the mark; None if it cannot be read and was started again."""
    try:
        mark = rollback.read()
    except Paused as error:
        if not rollback.is_damaged():
            raise
        click.echo(error.reason)
        _demand_name("Type the lottery's name to replace the mark")
        rollback.begin_anew(connection)
        click.echo("The high-water mark is that of the database now.")
        return None
    if mark is None:
        raise click.ClickException(NO_MARK)
    return mark


def _demand_name(question: str) -> None:
    """Have the lottery's name typed, by somebody who has read what is about to be done."""
    typed = click.prompt(question, default="", show_default=False)
    if typed != parts().settings.name:
        raise click.ClickException("That is not its name. Nothing was done.")


@draw.command("witnesses")
def list_witnesses() -> None:
    """List what each witness signed last, and whether that is the journal at hand."""
    found = parts().witnesses.standings(parts().keyring.log_keys())
    if not found:
        raise click.ClickException("This lottery has no witnesses; LOTTERY_WITNESSES names them.")
    for each in found:
        size = f"it has signed {each.shown.size} records" if each.shown else "it shows nothing"
        click.echo(f"{each.witness.key.name}: {size}; {each.stored} stored here")
        if each.reason is not None:
            click.echo(f"  {each.reason}")
    if any(each.is_other for each in found):
        raise click.ClickException(
            "A witness has seen another journal. docs/operating.md, Witnesses, says what to do."
        )


@draw.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def export_logs(folder: Path) -> None:
    """Write the public logs and certificates below DIR, as files for any web server.

    What is there already is kept. It can run at any time, and goes on if it was interrupted.
    """
    with snapshot(db.engines[READING]) as connection:
        last = parts().rollback.publish_newest(connection)
        if last is None:
            raise click.ClickException(
                "There is nothing to export: the public log begins at the first start of the "
                "server. Is LOTTERY_DATABASE_URL the right one?"
            )
        exporter = Exporter(connection, folder, parts().keyring.log_keys(connection))
        exporter.export(last)
    click.echo(f"{folder}: files written: {exporter.written_count:,}.")


@draw.command("audit")
@click.option("--from", "first", type=Day(), help="The first day to check.")
@click.option("--to", "last", type=Day(), help="The last day to check.")
@click.option(
    "--head",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A checkpoint that somebody kept, of the journal or of a day. May be given again.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=lambda: os.cpu_count() or 1,
    help="Processes to use; as many as there are cores where left out.",
)
@click.option("--progress", is_flag=True, help="Show progress where there is no terminal, too.")
def audit_draws(
    first: date | None, last: date | None, files: Sequence[Path], jobs: int, progress: bool
) -> None:
    """Check the database against its own logs: every day, every number. Changes nothing.

    The journal is always checked whole.
    """
    if first and last and last < first:
        raise click.ClickException(f"No day is both from {first} and up to {last}.")
    mark = parts().rollback.read()  # before the snapshot, above which it would stand otherwise
    with snapshot(db.engines[READING]) as connection:
        if last_record(connection) is None:
            raise click.ClickException(
                "There is nothing to check: this database has no journal, which begins at the "
                "first start of the server. Is LOTTERY_DATABASE_URL the right one?"
            )
        done = _audit(
            connection, mark, first, last, files=files, jobs=jobs, shows_progress=progress
        )
    if not (first or last):
        click.echo("All days, ballots and logs match.")
    elif done.of_days:
        click.echo(f"The journal, {done.days:,} days and their {done.ballots:,} ballots match.")
    else:
        raise click.ClickException(
            "The journal is correct, but there is no day between those to check."
        )


def _audit(
    connection: Connection,
    mark: Mark | None,
    first: date | None = None,
    last: date | None = None,
    *,
    files: Sequence[Path] = (),
    jobs: int,
    shows_progress: bool = False,
) -> Progress:
    """Audit, tell what is wrong, and return how much was checked.

    Raises:
        ClickException: something is wrong.
    """
    watch = ProgressLine(sys.stderr, shows=shows_progress or sys.stderr.isatty())
    count = 0
    log_keys = parts().keyring.load(connection)
    keys = keys_of(connection, log_keys)
    heads: defaultdict[int, list[Checkpoint]] = defaultdict(list)
    for file in files:
        timeline, head = read_head(file, keys)
        heads[timeline].append(head)
    if mark is not None:
        heads[len(keys) - 1] += mark.heads(log_keys.key.name)
    for fault in audit(
        connection, log_keys, first=first, last=last, heads=heads, jobs=jobs, watch=watch
    ):
        watch.clear()
        click.echo(fault, err=True)
        count += 1
    watch.clear()
    if count:
        raise click.ClickException(f"Errors found: {count}.")
    return watch.latest


@click.command("wait")
@click.option(
    "--seconds", type=click.IntRange(0, 3600), default=60, help="How long; 60 where left out."
)
@with_appcontext
def wait_for_database(seconds: int) -> None:
    """Wait until PostgreSQL accepts connections, for example while both are starting.

    With SQLite it returns at once.
    """
    try:
        wait_for_access(db.engine, seconds)
    except OperationalError as error:
        raise click.ClickException(
            f"The database of LOTTERY_DATABASE_URL gave no access in {seconds} s: "
            f"{reason_of(error)}"
        ) from None


@prize.command("list")
def list_prizes() -> None:
    """List the prizes that are offered or claimed and not handed over, claimed ones first."""
    with reading() as connection:
        rows = to_hand_over(connection)
    for row in rows:
        until = f", can be claimed until {row.claim_until}" if row.claim_until else ""
        state = (
            f"claimed {row.claimed_at:%Y-%m-%d %H:%M} UTC" if row.claimed_at else f"offered{until}"
        )
        who = f"{row.username} (account closed)" if row.closed_at else row.username
        click.echo(
            f"{row.day}, place {row.place}: {who}, ballot {row.number}, {row.lottery_name}, {state}"
        )
        for text in (row.contact, row.message):
            if text:
                click.echo("  " + text.replace("\n", "\n  "))
    if not rows:
        click.echo("No prize is to be handed over.")


@prize.command("hand-over")
@click.argument("day", metavar="DATE", type=Day())
@click.option("--place", type=click.IntRange(1), default=1, help="1 for the winner, the default.")
@click.option("--on", "handed_on", type=Day(), help="When it was; today if left out.")
@click.option("--note", default="", help="Everyone can read it.")
def hand_prize_over(day: date, place: int, handed_on: date | None, note: str) -> None:
    """Mark a claimed prize of a day's draw as handed over."""
    now = utcnow()
    with checked_transaction() as session:
        hand_over(session, day, place, handed_on=handed_on or day_of(now), note=note, now=now)
    click.echo(f"The prize of {day}, place {place}, was handed over.")


@prize.command("lapse")
@click.argument("day", metavar="DATE", type=Day())
@click.option("--place", type=click.IntRange(1), default=1, help="1 for the winner, the default.")
@click.option("--reason", required=True, help="Everyone can read it.")
def let_prize_lapse(day: date, place: int, reason: str) -> None:
    """Let a prize of a day's draw lapse and offer it to the next reserve."""
    claim_days = parts().settings.claim_days
    with checked_transaction() as session:
        lapse(session, day, place, reason=reason, now=utcnow(), claim_days=claim_days)
    click.echo(f"The prize of {day}, place {place}, lapsed.")


@click.command("move")
@click.argument("url")
@with_appcontext
def move_database(url: str) -> None:
    """Move the whole lottery from SQLite to the empty PostgreSQL at URL; stop the server before.

    Copies all tables in one transaction, compares every row, and audits the copy. The database
    in use is not changed.
    """
    if parts().settings.demo:
        raise click.ClickException("A demo stays in its folder, and is moved nowhere.")
    target = target_of(url)
    click.echo("Copying. The server must be stopped: whatever it writes ends the move.")
    mark = parts().rollback.read()
    rows = move(db.engines[READING], target, click.echo)
    click.echo(f"All {rows:,} rows are at the target. Auditing the copy.")
    engine = reading_engine(target)
    with snapshot(engine) as connection:
        if last_record(connection) is None:
            click.echo("There is nothing to audit: the journal has not begun.")
        else:
            _audit(connection, mark, jobs=os.cpu_count() or 1)
            click.echo("All days, ballots and logs of the copy match.")
    engine.dispose()
    click.echo(
        "What to do next: set LOTTERY_DATABASE_URL to the new address, keep LOTTERY_STORAGE with "
        "its keys as it is, and start the server. Never start it on the old database again: "
        "one lottery would go on as two. Keep that file as a backup."
    )


@demo.command("play")
@with_appcontext
def play_demo() -> None:
    """Throw the demo of LOTTERY_STORAGE away, and play another one up to now.

    Only with LOTTERY_DEMO=on, in a folder that is a demo's alone.
    """
    settings = parts().settings
    if not settings.demo:
        raise click.ClickException("Set LOTTERY_DEMO=on to play a demo, as `make demo` does.")
    try:
        lock_folder(settings.storage, alone=True)
    except DemoRuns as error:
        raise click.ClickException(str(error)) from None
    now = utcnow()
    click.echo(f"Playing a month in {settings.storage} ...")
    empty_folder(settings.storage)
    upgrade()
    Month(parts(), now).play()
    click.echo("Played. Nothing in it counts, and the next one throws it away.")


@draw.command("show")
@click.argument("day", metavar="[DATE]", type=Day(), required=False)
def show_draw(day: date | None) -> None:
    """Show what the draw of a day stands at; today's where no day is given."""
    _show(day or day_of(utcnow()))


def _show(day: date) -> None:
    with reading() as connection:
        found, winners = look_up(connection, day, user_id=None)
    if found is None:
        raise click.ClickException(f"There is no draw of {day}.")
    click.echo(f"{day}: {found.status}, ballots: {found.ballot_count}")
    for each in winners:
        click.echo(
            f"  place {each.place}: ballot {each.number}, {each.username}, {each.lottery_name}"
        )


def _password() -> str:
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException("The password on standard input is not UTF-8 text.") from None


def _set_organiser(name: str, is_organiser: bool) -> None:
    with transaction() as session:
        holder = set_organiser(session, _find_user(session, name).id, is_organiser, utcnow())
    click.echo(f"{holder.username} is {'an organiser' if is_organiser else 'a participant'} now.")


def _find_user(session: Session, name: str) -> User:
    holder = User.by_username(session, name)
    if holder is None:
        raise click.ClickException(f"There is no user {name!r}.")
    return holder
