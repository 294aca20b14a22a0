"""The language of a text by rule of thumb: by its script, and in Latin script by frequent words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

MOST_READ = 1000
"""Characters of a text that are looked at."""
FEWEST_WORDS = 2
"""Frequent words of a language that a text must hold to be told for one in it."""
CLEAR = 0.1
"""The share of words that must be frequent ones of the language."""
KANA = 0.1
"""The share of kana in a text of Han characters, from which on it is Japanese."""

FREQUENT: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "English": "the of and to in is that it for was you are with be this have not what on as "
                   "at by from how can will your which an i or do we please if",
        "German": "der die das und ist nicht ein eine ich zu mit den es sie für auf von wie dem "
                  "sich auch als wird sind im was kann bei oder wir haben einen bitte",
        "French": "le la les et est un une des de pas que qui dans pour je il ce vous sur avec "
                  "au du en sont plus ne se par nous",
        "Spanish": "el la los las y es un una de que no en por con para se lo del al como más su "
                   "está son pero qué este",
        "Portuguese": "o os as e é um uma de que não em por com para se do da no na como mais ao "
                      "são dos das você",
        "Italian": "il lo gli e è un una di che non in per con si del della come più sono al "
                   "questo dei nel anche",
        "Dutch": "de het een en is niet van ik te dat op met voor zijn aan er maar om ook je was "
                 "wat naar",
    }.items()
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_NAMED = {
    "CJK": "Han", "HIRAGANA": "Kana", "KATAKANA": "Kana", "HANGUL": "Hangul",
}  # fmt: skip


def language_of(text: str) -> str:
    """Return a text's language where it can be told, else its script, else `no letters`."""
    begin = text[:MOST_READ]
    scripts = Counter(filter(None, map(_script, begin)))
    if not scripts:
        return "no letters"
    if scripts["Kana"] > KANA * (scripts["Kana"] + scripts["Han"]):
        # Japanese is written in three scripts, and counts as one
        scripts["Kana"] += scripts.pop("Han", 0)
    script, _ = scripts.most_common(1)[0]
    if script == "Latin":
        return _of_latin(begin)
    return {"Han": "Chinese", "Kana": "Japanese", "Hangul": "Korean"}.get(script, script)


def _of_latin(text: str) -> str:
    words = [word.casefold() for word in _WORD.findall(text)]
    found = {name: sum(word in known for word in words) for name, known in FREQUENT.items()}
    best = max(found, key=lambda name: found[name])
    if found[best] >= FEWEST_WORDS and found[best] >= CLEAR * len(words):
        return best
    return "Latin script"


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """Return the script of a letter, by the first word of its name; nothing for what is none."""
    if not character.isalpha():
        return ""
    word = unicodedata.name(character, "").partition(" ")[0]
    return _NAMED.get(word, word.capitalize())
