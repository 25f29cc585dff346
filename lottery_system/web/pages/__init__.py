"""Pages: each module answers addresses, and none imports another."""

from lottery_system.web.pages import (
    accounts,
    ballots,
    cards,
    draws,
    exports,
    handovers,
    invitations,
    joining,
    live,
    logs,
    lotteries,
    mail_links,
    mail_settings,
    monitoring,
    my_account,
    new_passwords,
    organiser,
    participants,
    pictures,
    prizes,
    reset_links,
    rules,
    screen,
    site_form,
    site_texts,
    verifiers,
    welcome,
    winners,
)

PAGES = (
    accounts, ballots, cards, draws, exports, handovers, invitations, joining, live, logs,
    lotteries, mail_links, mail_settings, monitoring, my_account, new_passwords, organiser,
    participants, pictures, prizes, reset_links, rules, screen, site_form, site_texts, verifiers,
    welcome, winners,
)  # fmt: skip
