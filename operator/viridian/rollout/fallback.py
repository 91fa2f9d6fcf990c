"""What stable can answer in a candidate's stead, as far as it matters to a rollout and to those who read its status."""

from .context import RolloutContext
from .observed import Cover

GAPS = frozenset({"PartlyCovered", "NoFallback"})
"""Reasons by which clients see some of what the candidate fails."""
UNSAID = "do not report whether stable can answer for them (an earlier serving image)"
"""What the pods of a revision do, as the end of a clause."""


def lack(context: RolloutContext) -> str:
    """Why stable answers nothing for the candidate, as a clause; empty where it answers, or is not meant to.

    That the candidate's pods have not said it yet is no reason.
    """
    evidence = context.observed.evidence
    if context.status.stable is None or not context.spec.has_route:
        return ""
    if evidence.cover is Cover.UNSAID:
        return f"its pods {UNSAID}"
    return evidence.no_fallback if evidence.cover is Cover.NONE else ""


def awaits_word(context: RolloutContext) -> bool:
    """Whether the candidate's pods have yet to say what stable can answer: until then no user's request is theirs."""
    return context.observed.evidence.cover is Cover.UNKNOWN


def gap(context: RolloutContext) -> str:
    """What stable cannot answer for a candidate that has, or will get, traffic; empty for nothing."""
    concerned = context.candidate_is_live and context.status.returning is None and not context.failed_over
    return context.observed.evidence.no_fallback if concerned else ""


def describe(context: RolloutContext) -> tuple[bool, str, str]:
    """Whether stable answers all that the candidate fails, why (not) in a word, and in a sentence."""
    candidate, stable = context.status.candidate, context.status.stable
    if candidate is None or stable is None or not context.candidate_is_live:
        return False, "NoCandidate", "there is no candidate to answer for"
    if not context.spec.has_route:
        return (
            False,
            "NoGateway",
            "without a gateway, candidates never share the traffic, so stable answers for none",
        )
    if context.status.returning is not None:
        return False, "NoCandidate", f"{candidate.version} is restored by command and gets all traffic at once"
    version, evidence = candidate.version, context.observed.evidence
    match evidence.cover:
        case Cover.ALL:
            return True, "Ready", f"{stable.version} answers requests that {version} fails"
        case Cover.SOME:
            return False, "PartlyCovered", evidence.no_fallback
        case Cover.NONE:
            return False, "NoFallback", evidence.no_fallback
        case Cover.UNKNOWN:
            return False, "Unknown", f"the pods of {version} have not reported yet whether stable can answer for them"
        case _:
            return False, "Unsaid", f"the pods of {version} {UNSAID}"
