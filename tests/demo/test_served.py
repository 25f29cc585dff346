"""The demo as `make demo` has it: played by a command, served by gunicorn, checked by others."""

import csv
import io
import re
import shutil
import subprocess
import sys
from http.cookiejar import CookieJar
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener, urlopen

import pytest

from config.demo import MARKER
from lottery_system.clock import ONE_DAY
from lottery_system.demo.lotteries import DAYS
from tests.conftest import migrate, running, settings_for
from tests.demo.conftest import PLAYED_AT, flask
from tests.stand_ins.processes import PATIENCE, Gunicorn, answer_of

BANNER = "Demo: nothing here counts."
DOORS = ("winner", "player", "organiser")


class Browser:
    """Somebody with cookies who presses the buttons of pages."""

    def __init__(self, server: Gunicorn) -> None:
        self._url = server.url
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> str:
        return self._read(f"{self._url}{path}")

    def enter(self, door: str, page: str = "/welcome") -> str:
        token = re.search(r'action="/demo/enter".*?value="([^"]+)"', self.get(page), re.DOTALL)
        assert token
        form = urlencode({"csrf_token": token[1], "as": door}).encode()
        return self._read(f"{self._url}/demo/enter", form)

    def _read(self, url: str, form: bytes | None = None) -> str:
        with self._opener.open(url, form, timeout=PATIENCE) as answer:
            text: str = answer.read().decode()
            return text


def post(server: Gunicorn, csrf_token: str, door: str) -> None:
    form = urlencode({"csrf_token": csrf_token, "as": door}).encode()
    urlopen(f"{server.url}/demo/enter", form, timeout=PATIENCE).close()


def read(server: Gunicorn, path: str) -> bytes:
    with urlopen(f"{server.url}{path}", timeout=PATIENCE) as answer:
        data: bytes = answer.read()
        return data


def draws_of(server: Gunicorn) -> list[dict[str, str]]:
    """Return the rows of `/winners.csv`."""
    return list(csv.DictReader(io.StringIO(read(server, "/winners.csv").decode("utf-8-sig"))))


def test_a_month_of_winners_is_there(served: Gunicorn) -> None:
    rows = draws_of(served)
    days = {row["day"] for row in rows}

    assert len(days) == DAYS
    assert {"handed_over", "lapsed", "offered", "claimed"} <= {row["state"] for row in rows}
    assert len({row["username"] for row in rows}) > 10


def test_the_stand_alone_verifier_accepts_every_day(served: Gunicorn, tmp_path: Path) -> None:
    days = sorted({row["day"] for row in draws_of(served)})
    (tmp_path / "verify.pyz").write_bytes(read(served, "/verify.pyz"))
    for day in days:
        (tmp_path / f"{day}.json").write_bytes(read(served, f"/draws/{day}/certificate.json"))

    # one process for all, with nothing of ours but the downloaded file
    program = (
        "import sys; sys.path.insert(0, 'verify.pyz')\n"
        "from lottery_system.fairness import __main__ as program\n"
        "assert 'verify.pyz' in program.__file__\n"
        "for day in sys.argv[1:]: print(program.main(['verify', f'{day}.json']))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, *days],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("0") == DAYS
    assert not [line for line in lines if line.startswith("FAIL")]
    assert "demo.lottery.local" in (tmp_path / f"{days[0]}.json").read_text()


def test_the_audit_finds_that_all_matches(served: Gunicorn, played: Path) -> None:
    """While it is served: the audit reads only."""
    code, said = flask(played, "draw", "audit", "--jobs", "1")

    assert (code, said) == (0, "All days, ballots and logs match.\n")


@pytest.mark.parametrize("path", ["/welcome", "/login", "/winners", "/how-it-works", "/nowhere"])
def test_every_page_says_that_it_is_a_demo_and_has_the_doors(served: Gunicorn, path: str) -> None:
    text = answer_of(f"{served.url}{path}")[1]

    assert BANNER in text
    assert all(f'name="as" value="{door}"' in text for door in DOORS)


def test_a_day_that_visitors_look_at_has_doors_that_open(served: Gunicorn) -> None:
    """The page is kept for all visitors elsewhere; a form needs a token of one's own."""
    day = draws_of(served)[-1]["day"]
    somebody = Browser(served)
    somebody.get(f"/winners/{day}")

    assert "Log out" in Browser(served).enter("player", f"/winners/{day}")


def test_the_draw_screen_and_the_poster_say_so_too(served: Gunicorn) -> None:
    day = draws_of(served)[-1]["day"]

    assert BANNER in read(served, "/screen").decode()
    assert BANNER in read(served, f"/winners/{day}/sheet").decode()


def test_search_engines_are_told_to_list_none_of_it(served: Gunicorn) -> None:
    for path in ("/welcome", "/card.png", "/winners.csv"):
        with urlopen(f"{served.url}{path}", timeout=PATIENCE) as answer:
            assert answer.headers["X-Robots-Tag"] == "noindex"


def test_each_door_leads_to_what_it_promises(served: Gunicorn) -> None:
    somebody = Browser(served)

    assert "Claim your prize" in somebody.enter("winner")
    assert "No win" in somebody.enter("player", "/winners")
    assert "Organise" in somebody.enter("organiser", "/")
    assert "Claimed" in somebody.get("/organiser")


def test_a_page_from_before_the_demo_was_thrown_away_is_answered_with_doors_that_open(
    served: Gunicorn,
) -> None:
    """Its token is of another key."""
    with pytest.raises(HTTPError) as refused:
        post(served, csrf_token="of-another-demo", door="winner")

    assert refused.value.code == 400
    assert 'name="as" value="winner"' in refused.value.read().decode()


def test_a_door_that_is_none_leads_nowhere(served: Gunicorn) -> None:
    with pytest.raises(HTTPError, match="404"):
        Browser(served).enter("operator")


def test_entering_is_in_the_history_of_the_account_as_any_log_in(served: Gunicorn) -> None:
    somebody = Browser(served)
    somebody.enter("organiser")

    assert "Logged in." in somebody.get("/account/history")


def test_a_demo_that_is_served_is_not_thrown_away(served: Gunicorn, played: Path) -> None:
    code, said = flask(played, "demo", "play")

    assert code == 1
    assert f"The demo in {played} is in use: stop it first" in said
    assert served.readyz()


def test_a_demo_that_is_left_alone_goes_on_as_any_lottery(played: Path, tmp_path: Path) -> None:
    for name in (MARKER, "lottery.db", "log_key", "chain_tip", "mark"):
        shutil.copy(played / name, tmp_path / name)

    with Gunicorn("", tmp_path, at=PLAYED_AT + ONE_DAY, LOTTERY_DEMO="on") as server:
        rows = draws_of(server)

    assert len({row["day"] for row in rows}) == DAYS + 1
    assert rows[-1]["ballots"] != "0"


def processor_time() -> float:
    """Return the seconds of processor time that ended child processes took."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_next_demo_throws_the_first_away_and_is_there_soon(
    tmp_path: Path, played: Path
) -> None:
    for name in (MARKER, "lottery.db", "log_key", "chain_tip", "mark"):
        shutil.copy(played / name, tmp_path / name)
    before = (tmp_path / "log_key").read_text()
    code, said = flask(tmp_path, "lottery", "create", "Mine", "--closes-on", "2999-12-31")
    assert code == 0, said
    began = processor_time()

    code, said = flask(tmp_path, "demo", "play")

    assert code == 0, said
    assert processor_time() - began < 40
    assert (tmp_path / "log_key").read_text() != before
    assert b"2999-12-31" not in (tmp_path / "lottery.db").read_bytes()
    assert flask(tmp_path, "draw", "audit", "--jobs", "1")[0] == 0


@pytest.fixture
def copied(played: Path, tmp_path: Path) -> Path:
    """Copy the demo's database and keys, without its mark, as by hand."""
    for name in ("lottery.db", "log_key", "chain_tip"):
        shutil.copy(played / name, tmp_path / name)
    return tmp_path


def test_a_real_lottery_does_not_go_on_with_a_copied_database(copied: Path) -> None:
    code, said = flask(copied, "draw", "run", LOTTERY_DEMO="off")

    assert code == 1
    assert "This database is that of a demo, demo.lottery.local: nothing in it counts." in said


def test_a_demo_does_not_go_on_with_the_database_of_a_real_lottery(tmp_path: Path) -> None:
    real, demo = tmp_path / "real", tmp_path / "demo"
    demo.mkdir()
    assert flask(real, "db", "upgrade", LOTTERY_DEMO="off")[0] == 0
    assert flask(real, "draw", "run", LOTTERY_DEMO="off")[0] == 0
    assert flask(demo, "db", "upgrade")[0] == 0  # which marks the folder
    for name in ("lottery.db", "log_key", "chain_tip"):
        shutil.copy(real / name, demo / name)

    code, said = flask(demo, "draw", "run")

    assert code == 1
    assert "This database is that of a real lottery, lottery.local, and not a demo's." in said


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("draw", "show"), "belongs to a demo"),
        (("db", "upgrade"), "belongs to a demo"),
        (("demo", "play"), "belongs to a demo"),
    ],
)
def test_no_command_of_a_real_lottery_runs_in_the_folder_of_a_demo(
    played: Path, command: tuple[str, ...], says: str
) -> None:
    code, said = flask(played, *command, LOTTERY_DEMO="off")

    assert code == 1
    assert says in said


def test_only_a_demo_is_played(tmp_path: Path) -> None:
    code, said = flask(tmp_path, "demo", "play", LOTTERY_DEMO="off")

    assert code == 1
    assert "Set LOTTERY_DEMO=on to play a demo, as `make demo` does." in said


def test_a_demo_is_not_moved_to_another_database(played: Path) -> None:
    code, said = flask(played, "db", "move", "postgresql://lottery@127.0.0.1:1/lottery")

    assert code == 1
    assert "A demo stays in its folder" in said


def test_a_lottery_that_is_no_demo_has_no_doors(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lottery.db"
    migrate(url)
    with running(settings_for(url, LOTTERY_STORAGE=str(tmp_path))) as app:
        answer = app.test_client().get("/welcome")

        assert BANNER not in answer.text
        assert "demo" not in app.blueprints
        assert "X-Robots-Tag" not in answer.headers
