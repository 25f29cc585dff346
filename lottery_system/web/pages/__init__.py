"""Pages: each module answers addresses, and none imports another."""

from lottery_system.web.pages import (
    accounts,
    ballots,
    cards,
    draws,
    exports,
    handovers,
    live,
    logs,
    lotteries,
    monitoring,
    my_account,
    organiser,
    prizes,
    rules,
    screen,
    verifiers,
    welcome,
    winners,
)  # fmt: skip

PAGES = (
    accounts, ballots, cards, draws, exports, handovers, live, logs, lotteries, monitoring,
    my_account, organiser, prizes, rules, screen, verifiers, welcome, winners,
)  # fmt: skip
