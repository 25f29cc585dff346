"""Pages: each module answers addresses, and none imports another."""

from lottery_system.web.pages import (
    accounts,
    authenticator_apps,
    ballots,
    cards,
    demo,
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
    my_passkeys,
    new_passwords,
    organiser,
    participants,
    passkey_log_ins,
    pictures,
    prizes,
    reset_links,
    rules,
    screen,
    second_steps,
    security,
    site_form,
    site_texts,
    verifiers,
    welcome,
    winners,
)

PAGES = (
    accounts, authenticator_apps, ballots, cards, draws, exports, handovers, invitations, joining,
    live, logs, lotteries, mail_links, mail_settings, monitoring, my_account, my_passkeys,
    new_passwords, organiser, participants, passkey_log_ins, pictures, prizes, reset_links, rules,
    screen, second_steps, security, site_form, site_texts, verifiers, welcome, winners,
)  # fmt: skip
#: of a demo alone
DEMO_PAGES = (demo,)
