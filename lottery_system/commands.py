"""Command groups: what all `flask` commands of the lottery share.

A command that uses the database requires one of this code's version. If the domain or the database
refuses, it ends with one sentence and exit code 1. It never prints a traceback, or what was sent to
the database, which may be a password hash.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError, StatementError

from lottery_system.errors import LotteryError, Paused
from lottery_system.extensions import reading
from lottery_system.schema import demand_current


class ReportingGroup(click.Group):
    """A command group that turns errors into one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command of the group.

        Raises:
            click.ClickException: the domain or the database refused, or there is a fault of ours.
        """
        try:
            return super().invoke(ctx)
        except Paused as error:
            raise click.ClickException(error.reason) from None
        except LotteryError as error:
            raise click.ClickException(str(error)) from None
        except SQLAlchemyError as error:
            raise click.ClickException(
                f"The database cannot be reached, or refuses: {reason_of(error)}"
            ) from None
        except UnicodeError:
            raise click.ClickException(
                "What was typed is not UTF-8 text. Set the terminal to UTF-8, and type it again."
            ) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except OSError as error:
            raise click.ClickException(
                f"{error.filename or 'The system'}: {error.strerror}."
            ) from None
        except Exception as error:
            if current_app and current_app.debug:
                raise
            raise click.ClickException(
                f"Internal error ({type(error).__name__}). Unfinished work was rolled back. "
                "Run it again with FLASK_DEBUG=1 to see where it is, and report it."
            ) from None


class DatabaseGroup(ReportingGroup, AppGroup):
    """A group whose commands need a database of this code's version."""

    def command(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        """Add a command, which asks for the version before all."""
        add = super().command(*args, **kwargs)

        def decorator(do: Callable[..., Any]) -> click.Command:
            @wraps(do)
            def do_on_current(*given: Any, **options: Any) -> Any:
                with reading() as connection:
                    demand_current(connection)
                return do(*given, **options)

            return add(do_on_current)

        return decorator


def reporting(group: click.Group) -> ReportingGroup:
    """Wrap another library's group, so that errors become one sentence."""
    return ReportingGroup(
        name=group.name,
        commands=group.commands,
        params=group.params,
        callback=group.callback,
        help=group.help,
    )


def reason_of(error: SQLAlchemyError) -> str:
    """Return the first line of what the database said.

    SQLAlchemy's message includes the statement and its parameters, and the database's the refused
    row.
    """
    said = error.orig if isinstance(error, StatementError) else error
    return (str(said).splitlines() or [type(said).__name__])[0]
