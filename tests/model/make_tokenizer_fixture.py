"""Make tokenizer_fixture.bin.gz: texts and the token ids they must give.

    python3 make_tokenizer_fixture.py        (needs tokenizers, tiktoken, regex)

The ids come from two implementations that are not ours, fed with the files of
models/demo: Hugging Face's tokenizers and OpenAI's tiktoken. A text on which
they differ stops the run. Bytes that are not UTF-8 are nothing that either of
them takes: there the pieces come from the regex module, which sees each such
byte as a lone surrogate (no letter, number or space), and the ids of a piece
from tiktoken.

Letters and numbers: the texts hold only characters assigned in the Unicode
version of this Python's unicodedata, and of those only the ones whose class
(letter, number, white space, other) is the same in the regex module, which is
newer. Which ones were left out is printed. Python 3.11 has Unicode 14, as
PCRE2 10.40 to 10.42.

Layout, little-endian, gzip: text "patchsweep tokenizer fixture", text of
versions (a text is u32 length and bytes), u32 number of records; a record is
u8 (1: <|endoftext|> is special), u32 bytes, the bytes, u32 ids, u16 each.
"""

import gzip
import io
import pathlib
import random
import struct
import sys
import unicodedata

import regex
import tiktoken
import tokenizers
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "models" / "demo"
END = "<|endoftext|>"
PATTERN = (
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"""
    r"""|\s+(?!\S)|\s+"""
)

SENTENCES = [
    "All human beings are born free and equal in dignity and rights.",
    "When Mary and John went to the store, John gave a drink to",
    "She said: \"I can't, you shouldn't've, we'll see; he'd go, they're in, I'm out, it's ok.\"",
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits. L'œuvre d'aujourd'hui.",
    "Todos los seres humanos nacen libres e iguales. ¿Qué tal? ¡Olé! Mañana.",
    "Tutti gli esseri umani nascono liberi ed eguali. Perché no? È così.",
    "Todos os seres humanos nascem livres e iguais. Ação, coração, não.",
    "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren.",
    "Alla människor är födda fria och lika i värde och rättigheter. Åäö.",
    "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan.",
    "Wszyscy ludzie rodzą się wolni i równi. Zażółć gęślą jaźń.",
    "Všichni lidé rodí se svobodní a sobě rovní. Příliš žluťoučký kůň.",
    "Minden emberi lény szabadon születik. Árvíztűrő tükörfúrógép.",
    "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. İIıi ğ.",
    "Tất cả mọi người sinh ra đều được tự do và bình đẳng.",
    "Semua orang dilahirkan merdeka dan mempunyai martabat yang sama.",
    "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa.",
    "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "Всі люди народжуються вільними і рівними. Щастя, їжак, ґудзик.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι. Ἐν ἀρχῇ ἦν ὁ λόγος.",
    "Բոլոր մարդիկ ծնվում են ազատ ու հավասար։",
    "ყველა ადამიანი იბადება თავისუფალი და თანასწორი.",
    "כל בני האדם נולדו בני חורין ושווים. שָׁלוֹם",
    "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. ١٢٣٤٥",
    "تمام افراد بشر آزاد به دنیا می‌آیند ۱۲۳",
    "सभी मनुष्य जन्म से स्वतंत्र तथा समान हैं। १२३ क्षत्रिय",
    "সমস্ত মানুষ স্বাধীনভাবে জন্মগ্রহণ করে। ১২৩",
    "மனிதர் அனைவரும் சுதந்திரமாகவே பிறக்கின்றனர்.",
    "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులు.",
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน ๑๒๓",
    "ມະນຸດທຸກຄົນເກີດມາມີກຽດສັກສີ",
    "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် မွေးဖွားလာသည်။",
    "មនុស្សទាំងអស់ កើតមកមានសេរីភាព",
    "འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས།",
    "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
    "人人生而自由,在尊严和权利上一律平等。你好,世界!12三",
    "すべての人間は、生まれながらにして自由であり、カタカナ ｶﾀｶﾅ 漢字。",
    "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. ㅋㅋㅋ",
    "ᎤᎾᏓᎢᎵ ᏂᎦᏓ ᎠᏂᏴᏫ", "ᠬᠦᠮᠦᠨ᠎ᠠ ᠪᠦᠷ", "ᚠᛇᚻ᛫ᛒᛦᚦ", "𐌰𐌻𐌻𐌰𐌹 𐌼𐌰𐌽𐌽𐌰", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕏𝟙𝟚 ①②Ⅷ½²",
    "👨‍👩‍👧‍👦 👩🏽‍💻 🇩🇪🇫🇷 ❤️‍🔥 🏴󠁧󠁢󠁥󠁮󠁧󠁿 1️⃣ ☺ ☺️ 🤷🏻‍♀️😀😃",
    "e\u0301 vs é, A\u030a vs Å, Z\u0351\u036b\u0343\u036aa\u0302\u033alg\u0310o\u0358",
    "“Smart quotes” ‘don’t’ — en–dash… ‹x› «y» •·†‡ €£¥₹ §¶ ©®™ ×÷±≤≥≠≈∞ ∑∫√ αβγ",
    "int main(int argc, char **argv)\n{\n\treturn printf(\"%d\\n\", argc) < 0;\n}\n",
    "def f(x):\n    if x > 0:\n        return {'a': [1, 2.5e-3], \"b\": None}\n\n\nclass A(object):\n    pass\n",
    "<html>\n  <body class=\"x\">&nbsp;&#169;<!-- c --></body>\r\n</html>\r\n",
    "SELECT * FROM t WHERE a != 'it''s' AND b >= 10; -- x\n",
    "for i in $(seq 1 10); do echo \"${i}\" | sed 's/1/2/g' >>/dev/null 2>&1; done",
    "{\"key\": [true, false, null], \"n\": -1.0e+10, \"s\": \"\\u00e9\\\\\"}",
    "https://example.org/a/b?c=d&e=%20f#g user@example.com C:\\dir\\file.txt ~/.bashrc 192.168.0.1",
    "0 12 345 6789 1,234,567.89 3.14159 0xDEADBEEF 1e10 50% #1 2nd 007 ٣٤ ๕ 五 Ⅻ",
    "HELLO'S IT'S DON'T I'LL 'S 't's 're've'm'll'd ''s '' ' s 's's 'sx 'rex l'l 'l 'v ’s ’t",
]
SPACES = (
    " \t\n\r\f\v\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2001\u2003\u2009\u200a"
    "\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\0"
)
SUFFIXES = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'", "''", "'x", "’s"]


def character_class(character):
    """By unicodedata, of Python: letter, number, space or other."""
    category = unicodedata.category(character)
    if category[0] in "LN":
        return category[0]
    spaces = "\t\n\v\f\r\x85\u2028\u2029"
    return "S" if category == "Zs" or character in spaces else "O"


def newer_class(character):
    """The same by the regex module."""
    for name, test in (("L", r"\p{L}"), ("N", r"\p{N}"), ("S", r"\s")):
        if regex.match(test, character):
            return name
    return "O"


def agreed_characters():
    """Assigned characters, without surrogates and private use, in order."""
    agreed, differ = [], []
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cn", "Cs", "Co"):
            continue
        same = character_class(character) == newer_class(character)
        (agreed if same else differ).append(character)
    print(
        f"{len(agreed)} characters of Unicode {unicodedata.unidata_version};",
        "left out, as their class changed since:",
        " ".join(f"U+{ord(c):04X}" for c in differ) or "none",
    )
    return agreed


class Reference:
    def __init__(self):
        vocab, merges = str(MODEL / "vocab.json"), str(MODEL / "merges.txt")
        ranks = data_gym_to_mergeable_bpe_ranks(merges, vocab)
        special = {END: len(ranks)}
        self.tiktoken = tiktoken.Encoding(
            "gpt2-files", pat_str=PATTERN, mergeable_ranks=ranks,
            special_tokens=special,
        )
        self.pattern = regex.compile(PATTERN)
        self.plain = self.hugging_face(vocab, merges)
        self.special = self.hugging_face(vocab, merges)
        self.special.add_special_tokens([END])

    @staticmethod
    def hugging_face(vocab, merges):
        model = tokenizers.models.BPE.from_file(vocab, merges)
        made = tokenizers.Tokenizer(model)
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
            add_prefix_space=False
        )
        return made

    def ids(self, text, allow_special):
        if allow_special:
            ours = self.tiktoken.encode(text, allowed_special={END})
            theirs = self.special.encode(text).ids
        else:
            ours = self.tiktoken.encode_ordinary(text)
            theirs = self.plain.encode(text).ids
        if ours != theirs:
            sys.exit(f"tiktoken and tokenizers differ on {text!r}")
        return ours

    def ids_of_bytes(self, data):
        text = data.decode("utf-8", "surrogateescape")
        ids = []
        for piece in self.pattern.findall(text):
            piece = piece.encode("utf-8", "surrogateescape")
            ids += self.tiktoken._encode_single_piece(piece)
        assert b"".join(map(self.tiktoken.decode_single_token_bytes, ids)) == data
        return ids


def texts(rng, agreed, vocabulary):
    """(text, allow_special), over and over the places where a tokenizer errs."""
    yield from ((s, False) for s in SENTENCES)
    # every assigned character, in its neighbours' company
    for i in range(0, len(agreed), 48):
        yield "".join(agreed[i : i + 48]), False
    # every token, so that every merge is used
    words = vocabulary[:]
    rng.shuffle(words)
    for i in range(0, len(words), 12):
        yield "".join(words[i : i + 12]), False
    # every kind of character next to every other
    kinds = {k: [c for c in agreed if character_class(c) == k] for k in "LNSO"}
    for _ in range(1500):
        run = []
        for _ in range(rng.randint(1, 12)):
            kind = kinds[rng.choice("LNSO")]
            run += rng.choices(kind, k=rng.randint(1, 3))
            if rng.random() < 0.3:
                run.append(" ")
        yield "".join(run), False
    # characters of the first planes' common blocks
    for _ in range(1500):
        low = rng.choice((0x20, 0xA0, 0x370, 0x400, 0x590, 0x900, 0xE00, 0x1E00,
                          0x2000, 0x3000, 0x4E00, 0xAC00, 0xFF00, 0x1F300))
        near = [c for c in map(chr, range(low, low + 0x60)) if c in agreed_set]
        yield "".join(rng.choices(near + [" "] * 8, k=rng.randint(1, 40))), False
    # runs of white space, between and at the ends
    for _ in range(1500):
        run = []
        for _ in range(rng.randint(1, 6)):
            one = rng.choice(SPACES)
            run += rng.choice((one * rng.randint(1, 20),
                               rng.choices(SPACES, k=rng.randint(1, 4))))
            run.append(rng.choice(["", "a", "word", "7", "!", "é", "'s"]))
        yield "".join(run), False
    # contractions after and before anything
    for _ in range(1000):
        run = []
        for _ in range(rng.randint(1, 6)):
            run.append(rng.choice(["I", "you", " he", "x1", "1", " ", "\n", "é", "-"]))
            run += rng.choices(SUFFIXES, k=rng.randint(1, 2))
        yield "".join(run), False
    # cuts of the sentences, joined
    for _ in range(2500):
        run = []
        for _ in range(rng.randint(1, 3)):
            sentence = rng.choice(SENTENCES)
            start = rng.randrange(len(sentence))
            run.append(sentence[start : start + rng.randint(1, 60)])
            run.append(rng.choice(["", " ", "\n", "  ", "\t"]))
        yield "".join(run), False
    # printable ASCII, as code and noise
    ascii_text = [chr(c) for c in range(0x20, 0x7F)] + ["\n", "    ", "\t"]
    for _ in range(1500):
        yield "".join(rng.choices(ascii_text, k=rng.randint(1, 60))), False
    # the special token, whole, broken, nested, at the ends
    parts = [END, END[:-1], END[1:], "<|", "|>", "<", "a", " ", "  ", "\n", "'s", "é"]
    for _ in range(400):
        yield "".join(rng.choices(parts, k=rng.randint(1, 7))), rng.random() < 0.7
    # long pieces: a search for the lowest pair anew at each merge is hopeless
    yield "a" * 1_000_000, False
    yield " " * 300_000 + "x" + "\n" * 100_001, False
    yield "ab" * 150_000 + "é" * 50_001, False
    yield "".join(rng.choices("etaoinshrdlu", k=60_000)), False
    yield "=" * 100_003 + "-" * 7, False


def broken_texts(rng):
    """Bytes that are not UTF-8."""
    yield from (bytes([b]) for b in range(0x80, 0x100))
    yield from (b"a" + bytes([b]) + b" " for b in range(0x80, 0x100))
    for bad in (b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf",
                b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
                b"\xe2\x82", b"\xf0\x9f\x98", b"\xe2\x28\xa1", b"\xff\xfe"):
        for frame in (b"%s", b"it%s's", b" %s ", b"1%s2", b"  %s\n\n%s", b"!%s!%s"):
            yield frame.replace(b"%s", bad)
    sources = [s.encode() for s in SENTENCES]
    for _ in range(800):
        data = bytearray(rng.choice(sources)[: rng.randint(1, 80)])
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data) + 1)
            if rng.random() < 0.5:
                data[at:at] = bytes([rng.randint(0x80, 0xFF)])
            else:
                del data[at : at + rng.randint(1, 2)]
        yield bytes(data)
    for _ in range(300):
        yield bytes(rng.choices(range(256), k=rng.randint(1, 40)))


def text_field(text):
    data = text.encode()
    return struct.pack("<I", len(data)) + data


rng = random.Random(20240501)
agreed = agreed_characters()
agreed_set = set(agreed)
reference = Reference()
vocabulary = []
for token in range(reference.tiktoken.n_vocab - 1):
    try:
        vocabulary.append(reference.tiktoken.decode_single_token_bytes(token).decode())
    except UnicodeDecodeError:
        continue

records, seen, used = [], set(), set()
for text, allow_special in texts(rng, agreed, vocabulary):
    if (text, allow_special) in seen:
        continue
    seen.add((text, allow_special))
    records.append((allow_special, text.encode(), reference.ids(text, allow_special)))
n_valid = len(records)
for data in broken_texts(rng):
    if data not in seen:
        seen.add(data)
        records.append((False, data, reference.ids_of_bytes(data)))

versions = (
    f"tokenizers {tokenizers.__version__}, tiktoken {tiktoken.__version__}, "
    f"regex {regex.__version__}, Unicode {unicodedata.unidata_version}"
)
out = io.BytesIO()
out.write(text_field("patchsweep tokenizer fixture") + text_field(versions))
out.write(struct.pack("<I", len(records)))
for allow_special, data, ids in records:
    used.update(ids)
    out.write(struct.pack("<BI", allow_special, len(data)) + data)
    out.write(struct.pack(f"<I{len(ids)}H", len(ids), *ids))
path = HERE / "tokenizer_fixture.bin.gz"
path.write_bytes(gzip.compress(out.getvalue(), 9, mtime=0))
print(versions)
print(
    f"{len(records)} texts ({n_valid} of UTF-8), {len(used)} different tokens, "
    f"{len(out.getvalue())} bytes, {path.stat().st_size} compressed"
)
