"""Domain models and rules, on SQLAlchemy. No request, no URL, no page."""

from lottery_system.models.account_event import AccountEvent, AccountEventKind
from lottery_system.models.account_link import AccountLink, LinkPurpose, LinkState
from lottery_system.models.authenticator_app import AuthenticatorApp
from lottery_system.models.ballot import Ballot
from lottery_system.models.base import Base
from lottery_system.models.claim_event import ClaimContact, ClaimEvent
from lottery_system.models.cosignature import Cosignature
from lottery_system.models.draw import CLOSED, DRAWN, LOST, OPEN, Draw, DrawStatus
from lottery_system.models.holding import Holding
from lottery_system.models.invitation import Invitation, InvitationUse
from lottery_system.models.journal import JournalRecord, LogKeys
from lottery_system.models.login_session import LoginSession
from lottery_system.models.lottery import Limits, Lottery
from lottery_system.models.lottery_change import LotteryChange
from lottery_system.models.mail import Mail, MailKind
from lottery_system.models.mail_address import MailAddress
from lottery_system.models.offer import Offer
from lottery_system.models.offer_note import OfferNote
from lottery_system.models.passkey import Passkey
from lottery_system.models.picture import Picture
from lottery_system.models.recovery import Recovery
from lottery_system.models.recovery_code import RecoveryCode
from lottery_system.models.reset_request import ResetRequest
from lottery_system.models.site_change import SiteChange
from lottery_system.models.submission import AskedBallots, GrantedBallots, Submission
from lottery_system.models.throttle import Throttle
from lottery_system.models.tile import BallotTile, JournalTile
from lottery_system.models.timestamp import Timestamp
from lottery_system.models.used_challenge import UsedChallenge
from lottery_system.models.user import User
from lottery_system.models.winner import Winner

__all__ = [
    "CLOSED",
    "DRAWN",
    "LOST",
    "OPEN",
    "AccountEvent",
    "AccountEventKind",
    "AccountLink",
    "AskedBallots",
    "AuthenticatorApp",
    "Ballot",
    "BallotTile",
    "Base",
    "ClaimContact",
    "ClaimEvent",
    "Cosignature",
    "Draw",
    "DrawStatus",
    "GrantedBallots",
    "Holding",
    "Invitation",
    "InvitationUse",
    "JournalRecord",
    "JournalTile",
    "Limits",
    "LinkPurpose",
    "LinkState",
    "LogKeys",
    "LoginSession",
    "Lottery",
    "LotteryChange",
    "Mail",
    "MailAddress",
    "MailKind",
    "Offer",
    "OfferNote",
    "Passkey",
    "Picture",
    "Recovery",
    "RecoveryCode",
    "ResetRequest",
    "SiteChange",
    "Submission",
    "Throttle",
    "Timestamp",
    "UsedChallenge",
    "User",
    "Winner",
]
