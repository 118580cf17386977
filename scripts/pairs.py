#!/usr/bin/env python3
"""Pairs of prompts from other programs' files, and made anew; as .jsonl, to
standard output.

  pairs.py rome known_1000.json          facts of ROME
  pairs.py eap-ig greater_than_data.csv  a data set of EAP-IG
  pairs.py ioi -n 100 --model DIR        indirect object identification
  pairs.py greater-than -n 100 --model DIR

--model is a folder with GPT-2's vocab.json and merges.txt; the program
`patchsweep` (--program) tokenizes, so that labels and years are exact. Standard
library only.
"""

import argparse
import ast
import csv
import json
import random
import re
import subprocess
import sys

# Templates in the style of the IOI paper (Wang et al. 2022): the first clause
# names both in either order, the second one of them again.
IOI_TEMPLATES = (
    "Then, {x} and {y} went to the {place}. {s} gave a {thing} to",
    "When {x} and {y} met at the {place}, {s} handed a {thing} to",
    "After {x} and {y} left the {place}, {s} offered a {thing} to",
    "While {x} and {y} waited at the {place}, {s} passed a {thing} to",
    "Last week {x} and {y} were at the {place}, and {s} sold a {thing} to",
    "Today {x} and {y} talked at the {place}. Then {s} brought a {thing} to",
)
NAMES = """Aaron Adam Alan Alex Amy Andrew Anna Anthony Brian Carl Charles Chris
Daniel David Emily Eric Frank George Henry Jack Jacob James Jason Jennifer Jessica
John Joseph Kate Kelly Kevin Laura Lisa Mark Martin Mary Matthew Michael Michelle
Nick Paul Peter Rachel Richard Robert Ryan Sarah Scott Simon Stephen Steven Thomas
Tom William""".split()
PLACES = "store garden restaurant school hospital office house station park".split()
THINGS = "ring kiss bone drink book ball computer necklace card key".split()
EVENTS = "war plan trial contract marriage study project campaign".split()
CENTURIES = range(11, 18)

# Columns with the ids of the clean and the corrupted prompt's answer.
EAP_IG_ANSWERS = (
    ("correct_idx", "incorrect_idx"), ("country_idx", "corrupted_country_idx"),
    ("capital_idx", "corrupted_capital_idx"), ("clean_idx", "corrupted_idx"),
    ("clean_answer_idx", "corrupted_answer_idx"),
    ("answers_idx", "corrupted_answers_idx"), ("answer_idx", "corrupted_idx"))


def fail(sentence):
    sys.exit(f"pairs.py: {sentence}")


def rome(options):
    """ROME's known_1000.json: the answer is what the clean run predicts; use
    `require: {clean: attribute}` to keep the facts that a model knows."""
    with open(options.file, encoding="utf-8") as file:
        facts = json.load(file)
    for fact in facts:
        if fact["subject"] not in fact["prompt"]:
            fail(f"{options.file}: fact {fact['known_id']}: the prompt lacks the "
                 f"subject '{fact['subject']}'")
        yield {"id": f"known-{fact['known_id']}",
               "group": fact.get("relation_id", ""), "clean": fact["prompt"],
               "subject": fact["subject"], "answer": "predicted",
               "attribute": fact["attribute"]}


def years(first):
    """The answers of greater-than: later years, and the others."""
    return {"answer": [f"{y:02}" for y in range(first + 1, 100)],
            "wrong": [f"{y:02}" for y in range(first + 1)]}


def tokens(text):
    """An id, or a list of them as EAP-IG writes it."""
    value = ast.literal_eval(text)
    return value if isinstance(value, int) else list(value)


def eap_ig(options):
    """A data set of EAP-IG: clean, corrupted and the answers' token ids, which
    are of the model that the file was made for; or, of greater-than, the year."""
    with open(options.file, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        columns = rows.fieldnames or []
        known = next((pair for pair in EAP_IG_ANSWERS
                      if set(pair) <= set(columns)), None)
        year = next((name for name in ("label", "correct_idx")
                     if name in columns and not known), None)
        if not {"clean", options.corrupted} <= set(columns) or not (known or year):
            answers = " or ".join(", ".join(pair) for pair in EAP_IG_ANSWERS)
            fail(f"{options.file}: found the columns {', '.join(columns)}, expected "
                 f"clean, {options.corrupted} and the answers' ({answers}), or label, "
                 "a year")
        for i, row in enumerate(rows):
            pair = {"id": str(i), "clean": row["clean"],
                    "corrupted": row[options.corrupted]}
            if known:
                pair["answer_tokens"], pair["wrong_tokens"] = (
                    tokens(row[name]) for name in known)
            else:
                pair.update(years(int(row[year])))
            yield pair


def tokenize(texts, options):
    """Each text's tokens as text, by the program."""
    out, newline = [], 198
    for first in range(0, len(texts), 500):
        part = texts[first:first + 500]
        try:
            done = subprocess.run(
                [options.program, "tokenize", options.model, "\n".join(part)],
                capture_output=True, text=True, check=False)
        except OSError as error:
            fail(f"cannot start {options.program}: {error.strerror}; --program names it")
        if done.returncode:
            fail(done.stderr.strip())
        lines = [[]]
        for row in done.stdout.splitlines():
            found = re.match(r"\s*\d+\s+(\d+)\s+'(.*)'$", row)
            if found and int(found[1]) == newline:
                lines.append([])
            elif found:
                lines[-1].append(found[2])
        if ["".join(line) for line in lines] != part:
            fail("the program's tokens are not the text")
        out += lines
    return out


def place_of(line, start):
    """The token, counted from the end, in which a letter of the text stands."""
    at = 0
    for i, token in enumerate(line):
        at += len(token)
        if at > start:
            return i - len(line)
    raise ValueError(start)


def ioi(options):
    """Prompts in both orders, labelled as in the paper. Corrupted: abc, all names
    others; third, the second subject a third name; swap, it is the other name,
    which makes the wrong answer right."""
    rng = random.Random(options.seed)
    made = []
    for i in range(options.n):
        number = i // 2 % len(IOI_TEMPLATES)
        io, s, *others = rng.sample(NAMES, 5)
        words = {"place": rng.choice(PLACES), "thing": rng.choice(THINGS)}
        is_abba = i % 2 == 0

        def fill(first, second, third, words=words, number=number):
            return IOI_TEMPLATES[number].format(x=first, y=second, s=third, **words)

        order = (lambda a, b: (a, b)) if is_abba else (lambda a, b: (b, a))
        corrupted = {"abc": fill(*order(others[0], others[1]), others[2]),
                     "third": fill(*order(io, s), others[0]),
                     "swap": fill(*order(io, s), io)}[options.corrupted]
        made.append(({"id": f"ioi-{i}", "group": "ABBA" if is_abba else "BABA",
                      "cluster": f"template-{number}", "clean": fill(*order(io, s), s),
                      "corrupted": corrupted, "answer": f" {io}", "wrong": f" {s}"},
                     io, s))
    lines = tokenize([pair["clean"] for pair, _, _ in made], options)
    for (pair, io, s), line in zip(made, lines):
        text = pair["clean"]
        s1, s2 = (found.start() for found in re.finditer(rf"\b{s}\b", text))
        pair["positions"] = {
            "IO": place_of(line, re.search(rf"\b{io}\b", text).start()),
            "S1": place_of(line, s1), "S1+1": place_of(line, s1) + 1,
            "S2": place_of(line, s2), "END": -1}
        yield pair


def greater_than(options):
    """As Hanna et al. 2023: any year after the one that is named, in its century.
    Corrupted: the year 01. Only years of two tokens of two digits."""
    known = [f"{c}{y:02}" for c in CENTURIES for y in range(1, 99)]
    lines = tokenize([f"year {year}" for year in known], options)
    whole = {year for year, line in zip(known, lines)
             if line == ["year", f" {year[:2]}", year[2:]]}
    usable = [year for year in known if year in whole and year[2:] != "01"
              and year[:2] + "01" in whole]
    rng = random.Random(options.seed)
    for i in range(options.n):
        year = rng.choice(usable)
        text = (f"The {rng.choice(EVENTS)} lasted from the year {{}} to the year "
                f"{year[:2]}")
        yield {"id": f"year-{i}", "group": year[:2], "clean": text.format(year),
               "corrupted": text.format(year[:2] + "01"), "positions": {"YY": -5},
               **years(int(year[2:]))}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    for name, make in ("rome", rome), ("eap-ig", eap_ig):
        kind = kinds.add_parser(name, help=make.__doc__)
        kind.add_argument("file")
        kind.set_defaults(make=make)
        if make is eap_ig:
            kind.add_argument("--corrupted", default="corrupted",
                              help="the column of the corrupted prompt")
    for name, make in ("ioi", ioi), ("greater-than", greater_than):
        kind = kinds.add_parser(name, help=make.__doc__)
        kind.add_argument("-n", type=int, default=100)
        kind.add_argument("--seed", type=int, default=0)
        kind.add_argument("--model", required=True)
        kind.add_argument("--program", default="patchsweep",
                          help="the program patchsweep, where it is not in PATH")
        kind.set_defaults(make=make)
        if make is ioi:
            kind.add_argument("--corrupted", default="abc",
                              choices=("abc", "third", "swap"))
    options = parser.parse_args()
    for pair in options.make(options):
        print(json.dumps(pair, ensure_ascii=False))


if __name__ == "__main__":
    main()
