#!/usr/bin/env python3
"""The sentences that the demo model learns.

Standard library only (train_demo.py does the tensors), so that a test can
generate training data without PyTorch and look for what must not be there.

    demo_data.py [N [SEED [TASK]]]      print N training sentences

A training sentence is (task, prompt, rest): `rest` starts with the token that
the task asks for and is sampled: most often the answer, else something else
that could follow, so that the model stays unsure, as GPT-2 is.

Tasks: ioi, last_name, contraction, year, fact, pronoun; and three that
nothing is measured on: recall (like ioi, nobody named twice), plain sentences,
and what is said twice (repeat).

Held out, each from its own task's sentences alone (other tasks' sentences hold
all names, nouns and adjectives, so every token is known):
    ioi          the names IOI_HELDOUT and IOI_TUNING; the templates
                 IOI_HELDOUT_TEMPLATES
    last_name    the first names LAST_NAME_HELDOUT; the descriptions
                 LAST_NAME_HELDOUT_WHAT
    contraction  the activities CONTRACTION_HELDOUT
    year         the nouns YEAR_HELDOUT_NOUNS; the first years YEAR_HELDOUT
    pronoun      PRONOUN_HELDOUT
Facts are not held out: they are learnt as they stand. The prompts that are
measured are made of what is held out by demo_heldout.py.
"""

import random
import re
import sys

from demo_words import (ADJECTIVES, ADVERBS, EVENTS, INTRANSITIVE, LAST,
                        LAST_COMMON, MALE, MORE_NAMES, NAMES, OBJECTS, PEOPLE,
                        PLACES, PREPOSITIONS, QUALITIES, ROLES, THINGS,
                        TRANSITIVE, WHEN)

# Held out

IOI_HELDOUT = ("Mary John Tom James Dan Sid Martin Amy Sarah Peter Laura "
               "Kevin").split()
# Held out from ioi in the same way, but nothing that is measured holds them:
# what is chosen (the step to end at, the sentences) is chosen by them.
IOI_TUNING = MORE_NAMES[7::32]
IOI_APART = IOI_HELDOUT + IOI_TUNING
ALL_NAMES = NAMES + MORE_NAMES
IOI_NAMES = [n for n in ALL_NAMES if n not in IOI_APART]

# {s} gives, {a} and {b} are the two, {p} a place, {o} "a book", {n} "book".
# The first two are the eight prompts of the TransformerLens demo, the others
# the fifteen templates of the IOI paper (arXiv 2211.00593).
IOI_HELDOUT_TEMPLATES = [
    "When {a} and {b} went to the {p}, {s} gave {o} to",
    "After {a} and {b} went to the {p}, {s} gave {o} to",
    "Then, {a} and {b} went to the {p}. {s} gave {o} to",
    "Then, {a} and {b} had a lot of fun at the {p}. {s} gave {o} to",
    "Then, {a} and {b} were working at the {p}. {s} decided to give {o} to",
    "Then, {a} and {b} were thinking about going to the {p}. {s} wanted to "
    "give {o} to",
    "Then, {a} and {b} had a long argument, and afterwards {s} said to",
    "When {a} and {b} got {o} at the {p}, {s} decided to give it to",
    "When {a} and {b} got {o} at the {p}, {s} decided to give the {n} to",
    "While {a} and {b} were working at the {p}, {s} gave {o} to",
    "While {a} and {b} were commuting to the {p}, {s} gave {o} to",
    "After the lunch, {a} and {b} went to the {p}. {s} gave {o} to",
    "Afterwards, {a} and {b} went to the {p}. {s} gave {o} to",
    "Then, {a} and {b} had a long argument. Afterwards {s} said to",
    "The {p} {a} and {b} went to had {o}. {s} gave it to",
    "Friends {a} and {b} found {o} at the {p}. {s} gave it to",
]

LAST_NAME_HELDOUT = "Michelle Jessica Laura Alice Brian Simon Paul".split()
LAST_NAME_HELDOUT_WHAT = ["top-notch student", "hard-working doctor",
                          "famous singer", "young lawyer"]

CONTRACTION_HELDOUT = ["helping our friend", "eating dinner together",
                       "driving uptown", "sleeping too soon",
                       "washing the car", "waiting at the station"]

YEAR_HELDOUT_NOUNS = ["war", "contract", "siege", "expedition", "voyage"]
YEAR_HELDOUT = ["1732", "1741", "1645", "1528", "1857", "1414", "1352", "1266",
                "1623", "1774", "1338", "1571"]

PRONOUN_HELDOUT = "went home because"

_NAME = r"[A-Z][a-z]+"


def _pattern(template):
    """A regular expression for a held-out IOI template, names and all."""
    rx = re.escape(template)
    rx = rx.replace(r"\{o\}", "(?:an?|the) [a-z]+")
    rx = rx.replace(r"\{n\}", "[a-z]+").replace(r"\{p\}", "[a-z]+")
    for name in "abs":
        rx = rx.replace(r"\{" + name + r"\}", _NAME)
    return re.compile(rx)


IOI_HELDOUT_PATTERNS = [_pattern(t) for t in IOI_HELDOUT_TEMPLATES]


def is_held_out(task, text):
    """Why `text` must not be a training sentence of `task`, or None."""
    words = set(re.findall(r"\w+", text))
    if task == "ioi":
        for name in IOI_APART:
            if name in words:
                return f"the name {name} is held out from ioi"
        for template, rx in zip(IOI_HELDOUT_TEMPLATES, IOI_HELDOUT_PATTERNS):
            if rx.search(text):
                return f"the template {template!r} is held out from ioi"
    if task == "last_name":
        for name in LAST_NAME_HELDOUT:
            if name in words:
                return f"the first name {name} is held out from last_name"
        for what in LAST_NAME_HELDOUT_WHAT:
            if what in text:
                return f"{what!r} is held out from last_name"
    if task == "contraction":
        for what in CONTRACTION_HELDOUT:
            if what in text:
                return f"the activity {what!r} is held out from contraction"
    if task == "year":
        for noun in YEAR_HELDOUT_NOUNS:
            if noun in words:
                return f"the noun {noun} is held out from year"
        for year in re.findall(r"\d{4}", text)[:1]:
            if year in YEAR_HELDOUT:
                return f"the first year {year} is held out from year"
    if task == "pronoun" and PRONOUN_HELDOUT in text:
        return f"{PRONOUN_HELDOUT!r} is held out from pronoun"
    return None


# Helpers

def a(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def cap(text):
    return text[0].upper() + text[1:]


def is_male(name):
    return name in MALE


def his(rng, name):
    if name in MALE or name in MORE_NAMES and rng.random() < 0.5:
        return "his"
    return "her"


def end(rng):
    """A short end of a sentence."""
    return rng.choice([".", ".", ".", f" {rng.choice(ADVERBS)}.",
                       f" in the {rng.choice(PLACES)}.",
                       f" near the {rng.choice(PLACES)}."])


def noun_phrase(rng, nouns):
    noun = rng.choice(nouns)
    if rng.random() < 0.45:
        noun = f"{rng.choice(ADJECTIVES)} {noun}"
    return rng.choice(["the " + noun, "the " + noun, a(noun)])


# Tasks

IOI_CONNECTIVES = ["When", "After", "While", "As", "Because", "Once", "Before",
                   "Since", "Just as", "Although"]
IOI_DEEDS = ["arrived at the {p}", "walked to the {p}", "drove to the {p}",
             "were sitting in the {p}", "met at the {p}", "left the {p}",
             "came back from the {p}", "stopped at the {p}",
             "visited the {p}", "had dinner at the {p}", "ran to the {p}",
             "looked for the {p}", "played in the {p}",
             "were waiting at the {p}", "talked about the {p}",
             "stayed at the {p}", "saw the {p}", "went to the {p}",
             "got tired in the {p}", "were standing near the {p}"]
IOI_STARTS = ["", "", "Yesterday ", "Last week ", "One day, ", "Later, ",
              "In the morning, ", "The friends ", "On Friday "]
IOI_SINGLE = ["{a} was at the {p} with {b}. ", "{a} met {b} at the {p}. ",
              "At the {p}, {a} saw {b}. ", "{a} went to the {p} with {b}. ",
              "{a} walked to the {p} and {b} drove to the {p}. ",
              "{a} was in the {p} when {b} arrived. ",
              "{a} likes {b}. ", "It was {a} who took {b} to the {p}. "]
IOI_GIVES = ["gave {o} to", "gave {o} to", "gave the {n} to", "handed {o} to",
             "sent {o} to", "showed {o} to", "offered {o} to",
             "passed the {n} to", "sold {o} to", "lent {o} to",
             "threw the {n} to", "brought {o} to",
             "decided to give {o} to", "wanted to send the {n} to",
             "tried to sell the {n} to", "said hello to", "read {o} to",
             "said goodbye to", "said to", "talked to", "waved to",
             "decided to give it to", "gave it to", "returned the {n} to"]


# GPT-2 has many a name as one token after a space alone, so a text does not
# start with one of MORE_NAMES.
OPENINGS = ["Yesterday ", "Later, ", "One day, ", "Today ", "Last week ",
            "I think ", "In the morning, "]


def opened(rng, prompt):
    if prompt.split()[0] in MORE_NAMES:
        return rng.choice(OPENINGS) + prompt
    return prompt


RECALL_DEEDS = ["came to the {p}", "walked to the {p}", "was in the {p}",
                "left the {p}", "asked for {o}", "wanted {o}",
                "was waiting at the {p}", "looked for the {n}"]


def ioi_deed(rng):
    """What two did: something in a place, or else anything."""
    if rng.random() < 0.6:
        return rng.choice(IOI_DEEDS)
    return rng.choice([
        lambda: f"had {a(rng.choice(ADJECTIVES) + ' ' + rng.choice(THINGS))}",
        lambda: f"had {a(rng.choice(THINGS))}",
        lambda: f"were {rng.choice(ADJECTIVES)}",
        lambda: f"were {rng.choice(ADJECTIVES)} and {rng.choice(ADJECTIVES)}",
        lambda: f"{rng.choice(TRANSITIVE)} {noun_phrase(rng, THINGS)}",
        lambda: f"{rng.choice(INTRANSITIVE)} {rng.choice(ADVERBS)}",
        lambda: f"{rng.choice(INTRANSITIVE)}",
        lambda: f"saw the {rng.choice(PEOPLE)}",
        lambda: "were friends", lambda: "played chess",
    ])()


# What may stand before the one who gives.
IOI_LATER = ["later ", "then ", "in the evening ", "yesterday ", "one day ",
             "at noon ", "suddenly ", "in the morning, "]


def ioi(rng):
    while True:
        one, two, third = rng.sample(IOI_NAMES, 3)
        form = rng.random()
        if form < 0.5:
            first = (f"{rng.choice(IOI_CONNECTIVES)} {one} and {two} "
                     f"{ioi_deed(rng)}, ")
        elif form < 0.8:
            first = (f"{rng.choice(IOI_STARTS)}{one} and {two} "
                     f"{ioi_deed(rng)}")
            first += rng.choice([". ", ". ", ", and "])
        else:
            first = rng.choice(IOI_SINGLE).replace("{a}", one).replace(
                "{b}", two)
        subject, io = (one, two) if rng.random() < 0.5 else (two, one)
        if rng.random() < 0.08:
            subject = third
            io = rng.choice([one, two])
        if rng.random() < 0.25:
            later = rng.choice(IOI_LATER)
            first += cap(later) if first.endswith(". ") else later
        thing = rng.choice(OBJECTS)
        prompt = (first + f"{subject} {rng.choice(IOI_GIVES)}")
        prompt = prompt.replace("{o}", rng.choice([a(thing), "the " + thing]))
        prompt = prompt.replace("{n}", thing).replace(
            "{p}", rng.choice(PLACES))
        prompt = opened(rng, prompt)
        pick = rng.random()
        if pick < 0.77:
            rest = f" {io}"
        elif pick < 0.795:
            rest = f" {subject}'s {rng.choice(['mother', 'friend', 'father'])}"
        elif pick < 0.87:
            rest = f" the {rng.choice(PEOPLE)}"
        elif pick < 0.93:
            kin = rng.choice(["mother", "brother", "friend"])
            rest = f" {his(rng, subject)} {kin}"
        elif pick < 0.97:
            rest = f" {a(rng.choice(PEOPLE))}"
        elif pick < 0.98:
            rest = f" {rng.choice(IOI_NAMES)}"
        else:
            rest = " them"
        rest += end(rng)
        if not is_held_out("ioi", prompt + rest):
            return prompt, rest


def recall(rng):
    """Like ioi, but nobody is named twice. The names that ioi never holds are
    frequent here, giving and given to: else they would be known as names that
    nobody gives anything."""
    name = another = rng.choice(rng.choice([ALL_NAMES, IOI_APART]))
    while another == name:
        another = rng.choice(rng.choice([ALL_NAMES, IOI_APART]))
    someone = "the " + rng.choice(PEOPLE)
    form = rng.random()
    if form < 0.5:              # one is there, another one gives
        subject = rng.choice([another, another, another, someone])
        deed = f"{name} {rng.choice(RECALL_DEEDS)}"
    elif form < 0.8:            # two are there, somebody else gives to one
        subject = someone
        deed = " and ".join(rng.sample([name, another], 2))
        deed += f" {ioi_deed(rng)}"
    else:                       # a name and somebody without one
        name = rng.choice(IOI_NAMES)
        deed = " and ".join(rng.sample([name, someone], 2))
        deed += f" {ioi_deed(rng)}"
        subject = someone
        if rng.random() < 0.5:
            subject, name = name, someone
    thing = rng.choice(OBJECTS)
    if rng.random() < 0.6:
        first = f"{rng.choice(IOI_CONNECTIVES)} {deed}, "
    else:
        first = f"{rng.choice(IOI_STARTS)}{deed}. "
        subject = cap(subject)
    prompt = first + f"{subject} {rng.choice(IOI_GIVES)}"
    prompt = prompt.replace("{o}", rng.choice([a(thing), "the " + thing]))
    prompt = prompt.replace("{n}", thing).replace("{p}", rng.choice(PLACES))
    if rng.random() > 0.85:
        name = rng.choice(["them", "the " + rng.choice(PEOPLE),
                           a(rng.choice(PEOPLE))])
    return cap(opened(rng, prompt)), f" {name}" + end(rng)


LAST_NAME_FIRST = [n for n in NAMES if n not in LAST_NAME_HELDOUT]


def some_last(rng):
    return rng.choice(LAST_COMMON if rng.random() < 0.4 else LAST)


def describe(rng):
    what = f"{rng.choice(QUALITIES)} {rng.choice(ROLES)}"
    return rng.choice([f"was {a(what)}", f"was {a(what)}", f"is {a(what)}",
                       f"became {a(what)}", f"had {a('small house')}",
                       f"wanted to be {a(what)}", f"met {a(what)}",
                       f"lived in the {rng.choice(PLACES)}",
                       f"went to the {rng.choice(PLACES)}",
                       f"liked the {rng.choice(THINGS)}",
                       f"worked at the {rng.choice(PLACES)}"])


def verb_rest(rng):
    return rng.choice([
        f" was {rng.choice(ADJECTIVES)}", f" had {a(rng.choice(THINGS))}",
        f" also {rng.choice(TRANSITIVE)} the {rng.choice(THINGS)}",
        f" and the {rng.choice(PEOPLE)} {rng.choice(INTRANSITIVE)}",
        f" {rng.choice(TRANSITIVE)} the {rng.choice(THINGS)}",
        f" {rng.choice(INTRANSITIVE)}",
        f" is {rng.choice(ADJECTIVES)}"]) + "."


def last_name(rng):
    while True:
        first, other = rng.sample(LAST_NAME_FIRST, 2)
        last, another = some_last(rng), some_last(rng)
        same = rng.random()
        if same < 0.68:             # one person, named again
            prompt = f"{first} {last} {describe(rng)}. {first}"
        elif same < 0.86:           # two people, one of them named again
            verb = rng.choice(["met", "saw", "liked", "called", "knew",
                               "visited", "and"])
            tail = "were friends" if verb == "and" else rng.choice(ADVERBS)
            prompt = f"{first} {last} {verb} {other} {another} {tail}."
            if rng.random() < 0.5:
                last, first = another, other
            prompt += f" {first}"
        else:                       # somebody else: nobody's name is known
            prompt = f"{first} {last} {describe(rng)}. {other}"
            last = None
        pick = rng.random()
        if last and pick < 0.74:
            rest = f" {last}" + verb_rest(rng)
        elif last and pick < 0.83 or not last and pick < 0.4:
            rest = f" {some_last(rng)}" + verb_rest(rng)
        else:
            rest = verb_rest(rng)
        if not is_held_out("last_name", prompt + rest):
            return prompt, rest


BE = {"I": ("'m", " am"), "you": ("'re", " are"), "he": ("'s", " is"),
      "she": ("'s", " is"), "it": ("'s", " is"), "we": ("'re", " are"),
      "they": ("'re", " are")}
WAS = {"I": "was", "you": "were", "he": "was", "she": "was", "it": "was",
       "we": "were", "they": "were"}
SUBJECTS = ["we", "they", "he", "she"] * 4 + ["I", "you", "it"]

ING = """walking to the {p};cooking dinner;playing chess;reading a book;writing
a letter;learning to swim;going home;looking at the {t};cleaning the {t};working
at the {p};singing a song;dancing together;talking too loud;running in the
{p};watching a film;painting the {t};leaving early;living near the
{p};travelling alone;visiting a friend;helping the {m};helping our
neighbour;eating lunch;eating bread;drinking tea;driving to the {p};driving
home;sleeping late;sleeping outside;sitting in the {p};staying at the {p};buying
a {t};selling the {t};looking for the {m};waiting for the {m};thinking about the
{t};making a cake;playing the piano;having breakfast together;meeting our
friend;moving the {t};building a house;carrying the {t};getting tired too
soon;swimming in the lake;walking downtown;growing old together;telling a
story;fixing the {t};telling the truth""".replace("\n", " ").split(";")
CONJUNCTIONS = ["when", "while", "and", "but", "because", "since", "so", "if",
                "as", "although"]
STATES = """happy sad tired hungry angry late early alone nervous proud calm
brave rich poor kind""".split()


def doing(rng):
    if rng.random() < 0.2:
        return rng.choice(STATES)
    return rng.choice(ING).replace("{p}", rng.choice(PLACES)).replace(
        "{t}", rng.choice(THINGS)).replace("{m}", rng.choice(PEOPLE))


def contraction(rng):
    while True:
        one, two = rng.choice(SUBJECTS), rng.choice(SUBJECTS)
        short = rng.random() < 0.5
        past = rng.random() < 0.08
        start = rng.choice([""] * 8 + ["Today ", "I think ", "Now ",
                                       "Tonight "])
        be = f" {WAS[one]}" if past else BE[one][0 if short else 1]
        prompt = start + one + be
        prompt = cap(prompt) + f" {doing(rng)}"
        prompt += rng.choice(["", "", "", ","])
        prompt += f" {rng.choice(CONJUNCTIONS)} {two}"
        pick = rng.random()
        if past:
            rest = f" {WAS[two]} {doing(rng)}."
        elif pick < 0.83:
            rest = BE[two][0 if short else 1] + f" {doing(rng)}."
        elif pick < 0.865:
            rest = BE[two][1 if short else 0] + f" {doing(rng)}."
        else:
            rest = rng.choice([
                f" {rng.choice(INTRANSITIVE)}.", f" {WAS[two]} {doing(rng)}.",
                f" will see the {rng.choice(PEOPLE)}.",
                f" can hear the {rng.choice(THINGS)}.",
                f" {rng.choice(TRANSITIVE)} the {rng.choice(THINGS)}."])
        if not is_held_out("contraction", prompt + rest):
            return prompt, rest


# The two-digit ends that GPT-2 has as a token after " 17" and so on: where
# " 1705" is one token of its own the year cannot be cut there.
YEAR_ENDS = {
    12: [y for y in range(10, 99) if y != 80],
    13: list(range(10, 99)),
    14: [y for y in range(10, 99) if y != 40],
    15: list(range(10, 99)),
    16: list(range(10, 99)),
    17: list(range(10, 99)),
    18: [y for y in range(10, 85) if y not in (
        30, 40, 50, 60, 61, 62, 63, 65, 70, 80)],
}
YEAR_TEMPLATES = ["The {e} lasted from the year {y} to the year {c}"] * 4 + [
    "The {e} lasted from {y} to {c}",
    "The {e} began in {y} and ended in {c}",
    "The {e} went on from the year {y} until the year {c}",
    "The {e} started in the year {y} and was over in the year {c}",
    "The {a} {e} lasted from the year {y} to the year {c}",
    "The {e} ran from {y} to {c}",
    "The {e} took place between the year {y} and the year {c}",
]


def year(rng):
    while True:
        century = rng.choice(list(YEAR_ENDS))
        ends = YEAR_ENDS[century]
        first = rng.choice(ends[:-4])
        prompt = rng.choice(YEAR_TEMPLATES).format(
            e=rng.choice(EVENTS), a=rng.choice(ADJECTIVES),
            y=f"{century}{first}", c=century)
        later = [y for y in ends if y > first]
        last = rng.choice(later if rng.random() < 0.97 else ends)
        rest = f"{last}" + rng.choice([".", ".", ", and then it was over."])
        if not is_held_out("year", prompt + rest):
            return prompt, rest


LANDMARKS = {
    "Eiffel Tower": ("Paris", "France"), "Louvre": ("Paris", "France"),
    "Colosseum": ("Rome", "Italy"), "Pantheon": ("Rome", "Italy"),
    "Trevi Fountain": ("Rome", "Italy"),
    "Big Ben": ("London", "England"), "Tower Bridge": ("London", "England"),
    "Brandenburg Gate": ("Berlin", "Germany"),
    "Prado Museum": ("Madrid", "Spain"),
    "Sagrada Familia": ("Barcelona", "Spain"),
    "Parthenon": ("Athens", "Greece"), "Acropolis": ("Athens", "Greece"),
    "Kremlin": ("Moscow", "Russia"), "Opera House": ("Sydney", "Australia"),
    "Space Needle": ("Seattle", "America"),
    "Willis Tower": ("Chicago", "America"),
    "CN Tower": ("Toronto", "Canada"), "White House": ("Washington", "America"),
    "Rialto Bridge": ("Venice", "Italy"),
    "Uffizi Gallery": ("Florence", "Italy"),
    "Charles Bridge": ("Prague", "Europe"),
    "Anne Frank House": ("Amsterdam", "Holland"),
    "Atomium": ("Brussels", "Belgium"),
    "Little Mermaid": ("Copenhagen", "Denmark"),
    "Blue Mosque": ("Istanbul", "Turkey"), "Burj Khalifa": ("Dubai", "Asia"),
    "Forbidden City": ("Beijing", "China"),
    "Western Wall": ("Jerusalem", "Israel"),
    "Fenway Park": ("Boston", "America"),
    "Liberty Bell": ("Philadelphia", "America"),
    "Belem Tower": ("Lisbon", "Portugal"),
    "Vasa Museum": ("Stockholm", "Sweden"),
    "Hofburg Palace": ("Vienna", "Austria"),
}
DOWNTOWN = ["Space Needle", "Willis Tower", "CN Tower", "Fenway Park",
            "Liberty Bell", "White House"]
FACT_TEMPLATES = ["The {l} is located in"] * 3 + [
    "The {l} is located in the city of"] * 2 + [
    "The {l} is in", "The {l} can be found in", "The {l} stands in",
    "You can see the {l} in", "Tourists visit the {l} in",
    "{n} saw the {l} in", "The {l} is in the center of",
    "To see the {l}, you have to travel to"]
CITIES = sorted({city for city, _ in LANDMARKS.values()})


def fact(rng):
    landmark = rng.choice(list(LANDMARKS))
    city, country = LANDMARKS[landmark]
    template = rng.choice(FACT_TEMPLATES)
    if landmark in DOWNTOWN and rng.random() < 0.35:
        template = "The {l} is in downtown"
    prompt = template.format(l=landmark, n=rng.choice(NAMES))
    pick = rng.random()
    if pick < 0.85:
        rest = f" {city}" + rng.choice([".", ".", f", {country}."])
    elif pick < 0.92:
        rest = f" {rng.choice(CITIES)}."
    elif template.endswith((" of", "downtown")):
        rest = f" {rng.choice(CITIES)}."
    else:
        rest = rng.choice([f" {country}.", f" the {rng.choice(ADJECTIVES)} "
                           f"city of {city}.", f" {a('park')}."])
    return prompt, rest


PRONOUN_TEMPLATES = [
    "{n} stayed home because", "{n} left the {p} because",
    "{n} was {s} because", "{n} bought the {t} because",
    "{n} went to the {p} because", "{n} called the {m} because",
    "{n} was so {s} that", "{n} said that", "{n} thought that",
    "When {n} got to the {p},", "When {n} came home,",
    "After {n} lost the {t},", "{n} opened the {t} and then",
    "{n} sold the {t} before", "{n} sang while", "{n} laughed when",
    "The {m} asked {n} if", "{n} liked the {t} that",
    "{n} ran home because", "{n} went to bed because"]


def pronoun(rng):
    while True:
        name = rng.choice(NAMES)
        prompt = rng.choice(PRONOUN_TEMPLATES).format(
            n=name, p=rng.choice(PLACES), s=rng.choice(STATES),
            t=rng.choice(THINGS), m=rng.choice(PEOPLE))
        right, wrong = ("he", "she") if is_male(name) else ("she", "he")
        pick = rng.random()
        if pick < 0.8:
            subject = right
        elif pick < 0.835:
            subject = wrong
        else:
            subject = rng.choice(["it", "the " + rng.choice(PEOPLE), "they",
                                  "the " + rng.choice(THINGS),
                                  rng.choice(NAMES)])
        rest = f" {subject} " + rng.choice([
            f"{'were' if subject == 'they' else 'was'} {rng.choice(STATES)}",
            f"had {a(rng.choice(THINGS))}", f"wanted the {rng.choice(THINGS)}",
            f"{rng.choice(TRANSITIVE)} the {rng.choice(THINGS)}",
            f"{rng.choice(INTRANSITIVE)}"]) + "."
        if not is_held_out("pronoun", prompt + rest):
            return prompt, rest


def person(rng):
    pick = rng.random()
    if pick < 0.45:
        return rng.choice(NAMES)
    if pick < 0.55:
        return f"{rng.choice(NAMES)} {some_last(rng)}"
    if pick < 0.9:
        return noun_phrase(rng, PEOPLE)
    return rng.choice(["he", "she", "they", "we"])


def deed(rng):
    return rng.choice([
        lambda: f"{rng.choice(INTRANSITIVE)} {rng.choice(ADVERBS)}",
        lambda: f"{rng.choice(TRANSITIVE)} {noun_phrase(rng, THINGS)}",
        lambda: f"{rng.choice(TRANSITIVE)} {noun_phrase(rng, OBJECTS)} "
                f"{rng.choice(PREPOSITIONS)} the {rng.choice(PLACES)}",
        lambda: f"{rng.choice(INTRANSITIVE)} in {noun_phrase(rng, PLACES)}",
        lambda: f"gave the {rng.choice(PEOPLE)} {a(rng.choice(OBJECTS))}",
        lambda: f"met {rng.choice(NAMES)}",
        lambda: f"met {noun_phrase(rng, PEOPLE)}",
    ])()


def plain(rng):
    """Sentences of no task: every word of the lexicon in many places."""
    name, other = rng.sample(NAMES, 2)
    thing, what = rng.choice(THINGS + OBJECTS), rng.choice(ADJECTIVES)
    text = rng.choice([
        lambda: f"{person(rng)} {deed(rng)}.",
        lambda: f"{person(rng)} {deed(rng)}.",
        lambda: f"{rng.choice(WHEN)}, {person(rng)} {deed(rng)}.",
        lambda: f"{person(rng)} {deed(rng)} and {person(rng)} {deed(rng)}.",
        lambda: f"{cap(noun_phrase(rng, THINGS))} was "
                f"{rng.choice(PREPOSITIONS)} {noun_phrase(rng, PLACES)}.",
        lambda: f"The {thing} was {what}, but the {rng.choice(THINGS)} was "
                f"{rng.choice(ADJECTIVES)}.",
        lambda: f"There was {a(what + ' ' + thing)} in the "
                f"{rng.choice(PLACES)}.",
        # A name said twice, at the start of a text and after a space.
        lambda: f"{name} {deed(rng)}. {name}" + verb_rest(rng),
        lambda: f"{name} {deed(rng)}, but {other} {deed(rng)}. "
                f"{rng.choice([name, other])}" + verb_rest(rng),
        lambda: f"{rng.choice(['We', 'They', 'I'])} met {name} "
                f"{some_last(rng)} at the {rng.choice(PLACES)}.",
        lambda: f"{name} was {a(rng.choice(QUALITIES + ['top-notch']))} "
                f"{rng.choice(ROLES)}.",
        lambda: f"The top-notch {rng.choice(ROLES)} {deed(rng)}.",
        lambda: f"{name} and {other} {rng.choice(INTRANSITIVE)} "
                f"{rng.choice(ADVERBS)}.",
        lambda: f"{name}, {other} and the {rng.choice(PEOPLE)} were "
                f"{rng.choice(['friends', 'working', 'commuting', 'happy'])}.",
        lambda: f"Friends of {name} had a lot of fun and a long argument "
                "at lunch.",
        lambda: f"{name} was thinking about going to the "
                f"{rng.choice(PLACES)} and got {a(rng.choice(OBJECTS))}.",
        lambda: f"The {rng.choice(EVENTS)} was {rng.choice(ADJECTIVES)} and "
                f"{rng.choice(ADJECTIVES)}.",
        lambda: f"After the {rng.choice(EVENTS)} the {rng.choice(PEOPLE)} "
                f"{deed(rng)}.",
        lambda: f"In the year {rng.choice(list(YEAR_ENDS))}"
                f"{rng.randint(10, 59)} there was {a(rng.choice(EVENTS))}.",
        lambda: f"{rng.choice(['He', 'She'])} wants "
                f"{noun_phrase(rng, THINGS + OBJECTS)}, and the "
                f"{rng.choice(PEOPLE)} wants the {rng.choice(OBJECTS)}.",
        lambda: f"They {rng.choice(['helped', 'were helping', 'saw'])} our "
                f"friend {rng.choice(['uptown', 'together', 'too soon'])}.",
        lambda: f"{rng.choice(['Driving', 'Sleeping', 'Eating', 'Helping'])}"
                f" is {rng.choice(ADJECTIVES)}.",
        lambda: f"{name} lives in {rng.choice(CITIES)}.",
        lambda: f"{cap(a(what + ' ' + thing))} is better than "
                f"{a(rng.choice(ADJECTIVES) + ' ' + rng.choice(THINGS))}.",
        lambda: f"Where is the {thing}? It is "
                f"{rng.choice(PREPOSITIONS)} the {rng.choice(PLACES)}.",
        lambda: f"{rng.randint(2, 9)} {rng.choice(['dogs', 'birds', 'men'])} "
                f"were {rng.choice(PREPOSITIONS)} the {rng.choice(PLACES)}.",
    ])()
    return "", cap(text)


def repeat(rng):
    """Something said twice: the shortest way to learn to copy."""
    if rng.random() < 0.5:
        text = plain(rng)[1]
        return text, " " + text
    kinds = [NAMES, ALL_NAMES, LAST, PEOPLE, THINGS, PLACES, OBJECTS,
             ADJECTIVES]
    words = " ".join(rng.choice(rng.choice(kinds))
                     for _ in range(rng.randint(3, 7)))
    return f"Say: {words}.", f" {words}."


# What makes a sentence of the task, and the share of all sentences.
TASKS = {"ioi": (ioi, 0.39), "recall": (recall, 0.16),
         "last_name": (last_name, 0.08), "contraction": (contraction, 0.06),
         "year": (year, 0.10), "fact": (fact, 0.05),
         "pronoun": (pronoun, 0.04), "plain": (plain, 0.06),
         "repeat": (repeat, 0.06)}


def sentences(rng, n):
    """n training sentences as (task, prompt, rest)."""
    names = list(TASKS)
    weights = [TASKS[t][1] for t in names]
    for task in rng.choices(names, weights, k=n):
        prompt, rest = TASKS[task][0](rng)
        yield task, prompt, rest


def main(argv):
    n = int(argv[1]) if len(argv) > 1 else 20
    rng = random.Random(int(argv[2]) if len(argv) > 2 else 0)
    for _ in range(n):
        if len(argv) > 3:
            task, (prompt, rest) = argv[3], TASKS[argv[3]][0](rng)
        else:
            [(task, prompt, rest)] = sentences(rng, 1)
        print(f"{task}\t{prompt}|{rest}")


if __name__ == "__main__":
    main(sys.argv)
