"""Reads numbers as people and models write them, with their units, and compares them.

Read: `1,234.5`, `-3/4`, `3 1/2`, `25%`, `$12.25`, `6.4 × 10^-19 C`, `1.5e3`, `10^6`, `150 million km`, `x = 5`,
`about 42`, `seven`. Not read, so compared as texts alone: roots, powers, multiples of pi, pairs, intervals.
"""

import functools
import re
from fractions import Fraction
from typing import NamedTuple

# A decimal stands for another number where it is that number rounded to its last place, and no further off than this
# part of it: three digits do, two do not.
TOLERANCE = Fraction(2, 1000)
NEAR = Fraction(2, 100)  # closer than this, and one of them a decimal, is neither the same nor clearly another
LONGEST = 80  # characters of a number with its unit
LARGEST_EXPONENT = 400

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
MULTIPLES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
UNIT_PART = r"[A-Za-zμΩÅ°%]+(?:\^?\(?-?\d\)?)?"
NUMBER = re.compile(
    rf"""(?:[A-Za-z]\w?(?:\([^()=]*\))?\s*=\s*)?(?:(?:about|approximately|approx\.?|around|roughly|nearly|≈|~)\s*)?
    (?P<sign>[-+]?)\s*(?P<currency>[$€£¥]?)\s*
    (?:(?P<whole>\d+)(?:\s+and)?\s+(?P<above>\d+)/(?P<below>\d+)
      |(?P<number>{DIGITS})\s*(?:/\s*(?P<over>{DIGITS})
        |(?:[×x*·]\s*10\s*\^\s*\(?(?P<power>[-+]?\d+)\)?|[eE](?P<exponent>[-+]?\d+)))?
      |10\s*\^\s*\(?(?P<ten>[-+]?\d+)\)?
      |(?P<word>{"|".join(WORDS)})\b)
    (?:\s*(?P<multiple>{"|".join(MULTIPLES)})\b)?
    \s*(?P<unit>(?:{UNIT_PART}(?:\s*[/·*-]?\s*{UNIT_PART}){{0,4}})?)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
NO_UNIT = re.compile(
    r"\b(?:and|or|to|plus|minus|times|over|is|are|not|because|since|as|so|which|if|of|then|but|than|more|less|only"
    r"|by|at|for|from|with|the|in|on|pi|sqrt)\b",
    re.IGNORECASE,
)
KNOWN_UNITS = frozenset(
    unit
    for units in (
        "m km cm mm nm μm s ms μs ns min h d g kg mg μg t N kN J kJ MJ W kW MW Wh kWh V mV kV A mA C F T H Ω Hz kHz",
        "MHz GHz L l mL ml mol M K Pa kPa MPa bar atm eV keV MeV GeV cal kcal dB ppm ppb rpm mph ft yd mi lb oz pt",
        "qt gal ha Å AU ly pc kB MB GB TB % ° deg",
    )
    for unit in units.split()
)
SYMBOLS = {
    name: symbol
    for symbol, names in (
        ("m", "metre meter"),
        ("km", "kilometre kilometer"),
        ("cm", "centimetre centimeter"),
        ("mm", "millimetre millimeter"),
        ("s", "second sec"),
        ("min", "minute"),
        ("h", "hour hr"),
        ("g", "gram gramme"),
        ("kg", "kilogram kilogramme"),
        ("N", "newton"),
        ("J", "joule"),
        ("W", "watt"),
        ("V", "volt"),
        ("A", "ampere amp"),
        ("Ω", "ohm"),
        ("Hz", "hertz"),
        ("L", "l litre liter"),
        ("mL", "ml millilitre milliliter"),
        ("mol", "mole"),
        ("K", "kelvin"),
        ("°", "degree"),
        ("C", "celsius"),
        ("F", "fahrenheit"),
        ("%", "percent"),
        ("$", "dollar"),
        ("€", "euro"),
        ("/", "per"),
    )
    for name in names.split()
}


class Value(NamedTuple):
    """A number: its unit as a symbol ("" without one), and its decimal places as written, None for an exact one."""

    amount: Fraction
    unit: str = ""
    places: int | None = None


@functools.lru_cache(maxsize=2048)
def value_of(text: str) -> Value | None:
    """Return the number that a plain text is as a whole, None where it is more, or none."""
    text = text.strip().rstrip(".,;:!").strip()
    found = NUMBER.fullmatch(text) if len(text) <= LONGEST else None
    if found is None or NO_UNIT.search(found["unit"]) or not _is_unit(text[: found.start("unit")], found["unit"]):
        return None
    number = _number(found)
    if number is None:
        return None
    unit = unit_of(found["unit"]) or found["currency"]
    tens = MULTIPLES.get((found["multiple"] or "").lower(), 0)
    places = None if number.places is None else number.places - tens
    return Value(number.amount * 10**tens * (-1 if found["sign"] == "-" else 1), unit, places)


def same_amount(right: Value, given: Value) -> bool | None:
    """Tell whether two numbers are the same, whatever their units; None where that depends on how exact they are.

    Exact where both are exact. A right answer that is a decimal may have been rounded, and a fraction may be given as
    a rounded decimal: see TOLERANCE.
    """
    if right.amount == given.amount:
        return True
    off = abs(right.amount - given.amount)
    scale = max(abs(right.amount), abs(given.amount))
    fraction = right.places is None and right.amount.denominator > 1
    if off <= scale * TOLERANCE and (_rounds(given, right) or (fraction and _rounds(right, given))):
        return True
    decimal = right.places is not None or given.places is not None
    unclear = (decimal and off < scale * NEAR) or _rounds(right, given) or _rounds(given, right)
    return None if unclear else False


def unit_of(text: str) -> str:
    """Return a unit as a symbol, so that `metres per second` and `m/s` are one."""
    text = re.sub(r"(?i)\bper\s+cent\b", "percent", text)
    return re.sub(r"[\s^()*·]", "", re.sub(r"[A-Za-z]+", _symbol, text))


def names_unit(text: str, unit: str) -> bool:
    """Tell whether a text names a unit, or the thing that is counted, in whatever number it stands."""
    words = re.sub(r"\s*/\s*", "/", re.sub(r"[A-Za-z]+", _symbol, re.sub(r"(?i)\bper\s+cent\b", "percent", text)))
    return re.search(rf"(?<![\w/]){re.escape(unit)}(?![\w/])", words) is not None


def _is_unit(before: str, unit: str) -> bool:
    """Whether it is a unit or a thing that is counted: `5 km`, `5km`, `7 apples`, but not `2x`, `2 x` or `3xy`."""
    parts = re.findall(r"[^\W\d_]+|[°%]", unit)
    apart = before.endswith((" ", "$", "€", "£", "¥")) or not parts or parts[0] in KNOWN_UNITS
    return apart and all(len(part) > 2 or part in KNOWN_UNITS for part in parts)


def _symbol(word: re.Match[str]) -> str:
    name = word[0] if len(word[0]) < 3 else word[0].lower()
    singular = name[:-1] if len(name) > 3 and name.endswith("s") and not name.endswith("ss") else name
    return SYMBOLS.get(name, SYMBOLS.get(singular, singular))


def _number(found: re.Match[str]) -> Value | None:
    if found["word"]:
        return Value(Fraction(WORDS.index(found["word"].lower())))
    if found["whole"]:
        below = int(found["below"])
        return Value(int(found["whole"]) + Fraction(int(found["above"]), below)) if below else None
    power = int(found["power"] or found["exponent"] or found["ten"] or 0)
    if abs(power) > LARGEST_EXPONENT:
        return None
    if found["ten"]:
        return Value(Fraction(10) ** power)
    amount = _decimal(found["number"])
    over = _decimal(found["over"]) if found["over"] else Value(Fraction(1))
    if not over.amount:
        return None
    places = None if amount.places is None or found["over"] else amount.places - power
    return Value(amount.amount / over.amount * Fraction(10) ** power, "", places)


def _decimal(digits: str) -> Value:
    digits = digits.replace(",", "")
    places = len(digits.partition(".")[2])
    return Value(Fraction(digits if digits[-1] != "." else digits[:-1]), "", places or None)


def _rounds(fine: Value, coarse: Value) -> bool:
    """Tell whether a decimal may be another number rounded to its last place."""
    if coarse.places is None:
        return False
    finer = fine.amount.denominator > 1 if fine.places is None else fine.places > coarse.places
    return finer and abs(fine.amount - coarse.amount) <= Fraction(1, 2) / Fraction(10) ** coarse.places
