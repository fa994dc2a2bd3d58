"""Brings LaTeX, Markdown and the variants of Unicode to one plain notation, so that equal texts compare equal."""

import functools
import re
import unicodedata

MOST_NESTED = 30  # levels of LaTeX braces; what lies deeper stays as it is
BOX, BOX_END = "⟦", "⟧"  # stand around what was boxed

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑‒―﹣", "-"),
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("‘’′", "'"),
        **dict.fromkeys("⋅∙•", "·"),
        **dict.fromkeys("⁄∕", "/"),
        **dict.fromkeys("\u200b\u200c\u200d\ufeff\u00ad", ""),
        **dict.fromkeys("º˚", "°"),
        "µ": "μ",
        "。": ". ",
        "、": ", ",
        "\r": "\n",
        BOX: "[",
        BOX_END: "]",
    }
)
SYMBOLS = {
    name: symbol
    for symbols, names in (
        ("×·÷±≈≈~∞≤≤≥≥≠≠→→→⇒°°|∩∪", "times cdot div pm approx simeq sim infty le leq ge geq ne neq to rightarrow"
         " longrightarrow Rightarrow circ degree mid cap cup"),
        ("αβγδΔεεθλμνπρσΣτφφχψωΩ", "alpha beta gamma delta Delta epsilon varepsilon theta lambda mu nu pi rho sigma"
         " Sigma tau phi varphi chi psi omega Omega"),
        ("    ", "quad qquad displaystyle textstyle"),
    )
    for symbol, name in zip(symbols, names.split(), strict=True)
}  # fmt: skip
WRAPPERS = (
    r"text|textbf|textit|textrm|textnormal|emph|mathrm|mathbf|mathit|mathsf|mathbb|bm|boldsymbol|mbox|operatorname"
)
ARGUMENT = r"\s*(?:\{([^{}]*)\}|([A-Za-z0-9]))"
WRAPPED = re.compile(rf"\\(?:{WRAPPERS})\s*\{{([^{{}}]*)\}}")
BOXED = re.compile(r"\\f?boxed\s*\{([^{}]*)\}")
FRACTION = re.compile(rf"\\[dtc]?frac{ARGUMENT}{ARGUMENT}")
ROOT = re.compile(rf"\\sqrt{ARGUMENT}")
RAISED = re.compile(r"\^\s*\{([^{}]*)\}")
LOWERED = re.compile(r"_\s*\{([^{}]*)\}")
BARE_BRACES = re.compile(r"\{([^{}]*)\}")

HTML = re.compile(r"</?(?:b|i|u|p|em|strong|code|span|div|sub|sup)(?:\s[^<>]*)?>", re.IGNORECASE)
LINE_START = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[*+·][ \t]+|-[ \t]+(?!\d))+", re.MULTILINE)
ITALIC = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]*[^*\s])\*(?![\w*])|(?<!\w)_(?=\S)([^_\n]*[^_\s])_(?!\w)")


def plain(text: str) -> str:
    """Return a text without LaTeX and Markdown, line by line; what was boxed or tagged as the answer is in ⟦…⟧."""
    text = re.sub(r"[⁰¹²³⁴-⁹⁺⁻ⁿ]+", lambda run: "^" + run[0].translate(SUPERSCRIPTS), text)
    text = re.sub(r"(?<=\d)(?=[¼-¾⅐-⅞])", " ", text)  # 3½ is no 31/2
    text = unicodedata.normalize("NFKC", text).translate(CHARACTERS)
    text = _without_latex(text)
    text = re.sub(
        r"<answer>((?:(?!<answer>).)*?)</answer>", rf"{BOX}\1{BOX_END}", text, flags=re.IGNORECASE | re.DOTALL
    )
    text = HTML.sub("", re.sub(r"<br\s*/?>", "\n", text))
    text = LINE_START.sub("", text.replace("**", "").replace("__", "").replace("`", ""))
    text = ITALIC.sub(lambda found: found[1] or found[2], text)
    return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)


@functools.lru_cache(maxsize=2048)
def key(text: str) -> str:
    """Return what plain texts that say the same have in common: no blanks, closing marks, article, capitals of words.

    Capitals that mean something stay: `Tt` is not `TT`, `CO` not `Co`.
    """
    text = unwrapped(text)
    text = re.sub(r"\b[A-Z][a-z]{2,}\b", lambda word: word[0].lower(), text)
    text = re.sub(r"^(?:[Tt]he|[Aa]n?)\s+(?=[a-z]{3})", "", text)
    text = re.sub(r"(?<![A-Za-z])pi(?![A-Za-z])", "π", text)
    text = re.sub(r"_(?=[A-Za-z0-9])", "", text).replace("*", "×").replace("·", "×").replace("->", "→")
    return re.sub(r"(?<![^\W_])\s+|\s+(?![^\W_])", "", text)


def unwrapped(text: str) -> str:
    """Return a text without the quotes, brackets around it as a whole, and marks at its end."""
    while True:
        bare = text.strip(" \t\n\"'").rstrip(".,;:!").strip()
        if bare[:1] + bare[-1:] in ("()", "[]", "{}") and _closes_at_the_end(bare):
            bare = bare[1:-1]
        if bare == text:
            return text
        text = bare


def _closes_at_the_end(text: str) -> bool:
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth == 0:
            return at == len(text) - 1
    return False


def _without_latex(text: str) -> str:
    text = re.sub(r"(?<=\d)(?:\\,|\{,\}|\\!|,\\!)(?=\d{3}(?!\d))", ",", text)
    text = text.replace("\\{", "\ue000").replace("\\}", "\ue001")
    text = re.sub(r"\\(?:left|right|[bB]igg?[lr]?)(?=\s*[\\()\[\]|.\ue000\ue001])\.?", "", text)
    text = re.sub(r"\\[()\[\]]|\$", "", re.sub(r"\\([%$&#_])", r"\1", text))
    text = re.sub(r"\\\\|\\[,;: ]|~(?=[A-Za-z])", " ", text).replace("\\!", "")
    for _ in range(MOST_NESTED):
        before = text
        text = WRAPPED.sub(r"\1", text)
        text = FRACTION.sub(_fraction, text)
        text = ROOT.sub(lambda found: f"√{_grouped(found[1] or found[2] or '')}", text)
        text = RAISED.sub(lambda found: "°" if found[1].strip() == "\\circ" else f"^{_grouped(found[1])}", text)
        text = LOWERED.sub(r"_\1", BOXED.sub(rf"{BOX}\1{BOX_END}", text))
        if text == before:
            text = BARE_BRACES.sub(r"\1", text)
        if text == before:
            break
    text = re.sub(r"\^\s*\\(?:circ|degree)\b", "°", text)
    text = re.sub(r"\\([A-Za-z]+)", lambda command: SYMBOLS.get(command[1], command[1]), text)
    return text.replace("\ue000", "{").replace("\ue001", "}")


def _fraction(found: re.Match[str]) -> str:
    above, below = (_grouped(found[at] or found[at + 1] or "") for at in (1, 3))
    mixed = found.start() and found.string[found.start() - 1].isdigit()
    return f"{' ' if mixed else ''}{above}/{below}"


def _grouped(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"[-+]?[\w.,°\\]*", text) else f"({text})"
