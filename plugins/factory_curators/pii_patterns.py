"""Patterns of personal data, and the checks that a match must pass."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAIL_PATTERN = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
IBAN_PATTERN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
CARD_PATTERN = re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){11,18}(?![\d-]|[.,]\d)")
IP_PATTERN = re.compile(
    r"(?<![\w.:])(?:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\.?\d)"
    r"|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:\.\d{1,3}){0,3})(?![\w:])"
)
PHONE_PATTERN = re.compile(
    r"(?<![\w.,/-])(?:\+\d{1,3}[ .-]?|00\d{1,3}[ .-]|0|(?=\())?"
    r"(?:\(\d{1,5}\)[ .-]?)?\d{1,5}(?:[ ./-]?\d{2,5}){1,4}(?![\w/-]|[.,]\d)"
)
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SD": 18,
    "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22,
    "VG": 24, "XK": 20,
}
"""Country → length of its IBANs, from the ISO 13616 registry."""


@dataclass(frozen=True, slots=True)
class PiiMatch:
    """A piece of personal data in a text: its span and type."""

    start: int
    end: int
    type: str

    def overlaps(self, other: PiiMatch) -> bool:
        """Return whether the spans share a character."""
        return self.start < other.end and other.start < self.end


def is_valid_iban(text: str) -> bool:
    """Return whether an IBAN has valid check digits (ISO 7064, modulo 97) and the length of its country."""
    plain = re.sub(r"[ -]", "", text)
    number = "".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])
    return IBAN_LENGTHS.get(plain[:2]) == len(plain) and int(number) % 97 == 1


def is_payment_card(text: str) -> bool:
    """Return whether a number has the first digit of a card issuer and passes the Luhn check (ISO 7812)."""
    digits = [int(digit) for digit in text if digit.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return digits[0] in (2, 3, 4, 5, 6) and len(set(digits)) > 1 and (sum(digits[-1::-2]) + doubled) % 10 == 0


def is_personal_ip_address(text: str) -> bool:
    """Return whether an IP address is valid and neither unspecified, loopback, nor code such as `a::b`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback) and len(text) >= 7 and any(map(str.isdigit, text))


def is_phone_number(text: str) -> bool:
    """Return whether a text is a phone number: 7 to 15 digits (ITU E.164), no date, year range or amount.

    Without `+`, leading 0 or bracketed area code, the groups of digits must follow the format of some country.
    """
    groups = re.findall(r"\d+", text)
    count = sum(map(len, groups))
    if not 7 <= count <= 15 or re.fullmatch(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}|\d{4}[ ./-]+\d{4}|0\..*", text):
        return False
    if text[0] in "+(":
        return True
    if text[0] == "0":
        return len(groups) > 1 or count >= 9
    shape = tuple(map(len, groups))
    return shape in ((3, 3, 4), (1, 3, 3, 4), (5, 6), (4, 3, 3))


@dataclass(frozen=True, slots=True)
class PiiPattern:
    """A type of personal data: its pattern, a cheap pattern that every match contains, and a check of matches."""

    type: str
    pattern: re.Pattern[str]
    prefilter: re.Pattern[str]
    validator: Callable[[str], bool]


PII_PATTERNS = (
    PiiPattern("mail", MAIL_PATTERN, re.compile("@"), lambda text: True),
    PiiPattern("iban", IBAN_PATTERN, re.compile(r"[A-Z]{2}\d\d"), is_valid_iban),
    PiiPattern("card", CARD_PATTERN, re.compile(r"\d(?:[ -]?\d){11}"), is_payment_card),
    PiiPattern("ip", IP_PATTERN, re.compile(r"\d\.\d|[0-9A-Fa-f:]:[0-9A-Fa-f:]"), is_personal_ip_address),
    PiiPattern("phone", PHONE_PATTERN, re.compile(r"\d\D{0,2}\d\D{0,2}\d"), is_phone_number),
)
"""From the most to the least reliable: later patterns cannot match what an earlier one has taken."""


def find_personal_data(text: str, types: frozenset[str]) -> Iterator[PiiMatch]:
    """Yield the matches of these types in a text, in order and without overlaps."""
    matches: list[PiiMatch] = []
    for pii in PII_PATTERNS:
        # The prefilter avoids the costly pattern on the many texts that cannot match.
        if pii.type not in types or not pii.prefilter.search(text):
            continue
        for span in pii.pattern.finditer(text):
            match = PiiMatch(span.start(), span.end(), pii.type)
            if not any(map(match.overlaps, matches)) and pii.validator(span.group()):
                matches.append(match)
    yield from sorted(matches, key=lambda match: match.start)
