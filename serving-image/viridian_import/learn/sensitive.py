"""Which features look like something about a person that must not stand in addresses and logs."""

import re
from typing import Final

_WORDS: Final = frozenset(
    {
        *("name", "firstname", "lastname", "surname", "fullname", "username", "email", "mail", "phone", "telephone"),
        *("mobile", "fax", "address", "street", "zip", "zipcode", "postcode", "postal", "birth", "birthday", "dob"),
        *("ssn", "iban", "bic", "passport", "licence", "license", "tax", "taxid", "gender", "sex", "race", "ethnicity"),
        *(
            "religion",
            "nationality",
            "citizenship",
            "disability",
            "diagnosis",
            "disease",
            "ip",
            "latitude",
            "longitude",
        ),
        *("lat", "lon", "lng", "gps", "card", "iban", "password", "token", "secret", "marital", "pregnant", "salary"),
    }
)
_PART: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def looks_sensitive(name: str) -> bool:
    """Whether a feature's name has a word in it that usually names something personal."""
    return any(word.lower() in _WORDS for word in _PART.findall(name))
