"""What stable can answer in a candidate's stead, as far as it matters to a rollout and to those who read its status."""

from .observed import Cover
from .view import View

GAPS = frozenset({"PartlyCovered", "NoFallback"})
"""Reasons by which clients see some of what the candidate fails."""
UNSAID = "do not say whether stable can answer for them (an earlier serving image)"
"""What the pods of a revision do, as the end of a clause."""


def lack(view: View) -> str:
    """Why stable answers nothing for the candidate, as a clause; empty where it answers, or is not meant to.

    That the candidate's pods have not said it yet is no reason.
    """
    evidence = view.observed.evidence
    if view.status.stable is None or not view.spec.has_route:
        return ""
    if evidence.cover is Cover.UNSAID:
        return f"its pods {UNSAID}"
    return evidence.no_fallback if evidence.cover is Cover.NONE else ""


def awaits_word(view: View) -> bool:
    """Whether the candidate's pods have yet to say what stable can answer: until then no user's request is theirs."""
    return view.observed.evidence.cover is Cover.UNKNOWN


def gap(view: View) -> str:
    """What stable cannot answer for a candidate that has, or is to get, a part of the traffic; empty for nothing."""
    concerned = view.candidate_is_live and view.status.returning is None and not view.failed_over
    return view.observed.evidence.no_fallback if concerned else ""


def describe(view: View) -> tuple[bool, str, str]:
    """Whether stable answers all that the candidate fails, why (not) in a word, and in a sentence."""
    candidate, stable = view.status.candidate, view.status.stable
    if candidate is None or stable is None or not view.candidate_is_live:
        return False, "NoCandidate", "there is no candidate that stable would have to answer for"
    if not view.spec.has_route:
        return (
            False,
            "NoGateway",
            "without a gateway no candidate has a part of the traffic, so stable answers for none",
        )
    if view.status.returning is not None:
        return False, "NoCandidate", f"{candidate.version} comes back by command and takes over all traffic at once"
    version, evidence = candidate.version, view.observed.evidence
    match evidence.cover:
        case Cover.ALL:
            return True, "Ready", f"{stable.version} answers what {version} fails"
        case Cover.SOME:
            return False, "PartlyCovered", evidence.no_fallback
        case Cover.NONE:
            return False, "NoFallback", evidence.no_fallback
        case Cover.UNKNOWN:
            return False, "Unknown", f"the pods of {version} have not said yet whether stable can answer for them"
        case _:
            return False, "Unsaid", f"the pods of {version} {UNSAID}"
