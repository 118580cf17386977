#!/usr/bin/python3
"""The rules that a compiler does not hold, one check a call.

    tests/lint/lint.py CHECK [--root DIR] [--cc CC] [--include DIR]...

Prints `path:line: what is wrong, and what is right` for each fault; status 1
where there is one, 77 (skipped) where a tool or git is missing. CHECKS below
is the list of checks.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

BANNED = {
    "strcpy": "snprintf or memcpy", "strcat": "struct buf of common/base/buf.h",
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "fgets",
    "strtok": "strcspn, or a cursor", "atoi": "strtol", "atol": "strtol",
    "atof": "strtod", "alloca": "mem_calloc of common/base/mem.h",
}
# What only a program may call: libraries return a status.
PROGRAM_ONLY = ("exit", "_exit", "_Exit", "abort", "printf", "puts", "putchar",
                "perror")

# Each external header has few owners (regular expressions over paths). Tests
# and benchmarks may include what they test against.
HEADER_OWNERS = {
    "mpi.h": r"common/transport/\w*mpi\w*\.[ch]|common/transport/shared\w*\.[ch]|cli/main\.c",
    "mpi-ext.h": r"common/transport/\w*mpi\w*\.[ch]",
    "hdf5.h": r"common/store/(h5|results)\w*\.[ch]",
    "hdf5_hl.h": r"common/store/(h5|results)\w*\.[ch]",
    "cblas.h": r"common/model/kernels\.c",
    "sleef.h": r"common/model/kernels\w*\.c",
    "immintrin.h": r"common/model/kernels\w*\.c",
    "pcre2.h": r"common/model/tokenizer\.c",
    "yaml.h": r"common/base/yaml\.c",
    "jansson.h": r"common/base/json\.c",
    "openssl/evp.h": r"common/base/digest\.c",
    "zlib.h": r"common/base/digest\.c",
    "cmocka.h": r"tests/.*",
}
STANDARD_HEADERS = set("""
    assert ctype errno fenv float inttypes limits locale math setjmp signal
    stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib string time
    arpa/inet netdb netinet/in netinet/tcp
    argp dirent dlfcn fcntl fnmatch ftw getopt glob libgen poll pthread sched semaphore
    strings termios unistd
    sys/file sys/ioctl sys/mman sys/param sys/resource sys/socket sys/stat
    sys/statvfs sys/time sys/types sys/uio sys/un sys/utsname sys/wait
""".split())

# The layers: what each folder's files may include besides their own folder.
LOWER = {
    "common/base": (),
    "common/model": ("common/base",),
    "common/job": ("common/base", "common/model"),
    "common/plan": ("common/base", "common/model", "common/job"),
    "common/store": ("common/base", "common/model", "common/job", "common/plan"),
    "common/transport": ("common/base", "common/model", "common/job",
                         "common/plan"),
    "worker": ("common",),
    "coordinator": ("common",),
    "cli": ("common", "worker", "coordinator"),
}
GENERATED_HEADERS = ("build_info.h",)

C_LINES = 600

# Written in two halves, so that this file does not find itself.
MACHINE_PATHS = ("/" "work/", "/tmp" "/wt", "/opt" "/tl", "/root" "/", "/home" "/",
                 "/tmp/" "bash_jobs", "pypi" ".org", "deb." "debian.org")
OPEN_WORDS = ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")

# Data that others wrote, taken as it is.
NOT_OURS = re.compile(r"models/.*\.(json|txt|jsonl)|tests/.*/(corpus|fixtures?|data)/.*"
                      r"|docs/images/.*|LICENSE.*")


class Skip(Exception):
    """Why a check could not run here."""


class Tree:
    """The files of a checkout: tracked ones and new ones that are not ignored."""

    def __init__(self, root, cc="gcc", includes=()):
        self.root, self.cc, self.includes = root, cc, includes
        listing = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], capture_output=True, check=False)
        if listing.returncode:
            raise Skip("not a git checkout, so the files of the project are not known")
        names = listing.stdout.decode().split("\0")
        self.files = sorted({name for name in names
                             if name and os.path.isfile(os.path.join(root, name))})

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def c_files(self):
        return [path for path in self.files if path.endswith((".c", ".h"))]

    def python_files(self):
        return [path for path in self.files
                if path.endswith(".py") or self.interpreter(path) == "python3"]

    def shell_files(self):
        return [path for path in self.files
                if self.interpreter(path) in ("sh", "bash")
                or path.endswith((".sh", ".sbatch")) or path == "scripts/environment"]

    def interpreter(self, path):
        with open(os.path.join(self.root, path), "rb") as file:
            first = file.readline(128)
        if not first.startswith(b"#!"):
            return ""
        return first.split()[-1].rsplit(b"/", 1)[-1].decode("utf-8", "replace")


def without_comments(source, keep_strings=False):
    """C source with comments (and strings) blanked, lines kept."""
    def blank(match):
        token = match.group(0)
        if keep_strings and token[0] in "\"'":
            return token
        return re.sub(r"[^\n]", " ", token)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  blank, source, flags=re.DOTALL)


def line_of(source, offset):
    return source.count("\n", 0, offset) + 1


def includes_of(tree, path):
    source = without_comments(tree.read(path), keep_strings=True)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]',
                             source, flags=re.MULTILINE):
        yield line_of(source, match.start()), match.group(1), match.group(2)


def folder_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "common" else parts[0]


def is_under(path, folders):
    return any(path.startswith(folder + "/") for folder in folders)


def run_tool(tree, command, paths):
    """Faults that a tool finds in paths, as it prints them."""
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    if not paths:
        return
    result = subprocess.run(command + paths, cwd=tree.root, text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        yield result.stdout.rstrip() or f"{command[0]} failed"


def check_format(tree):
    """C files are as clang-format writes them."""
    yield from run_tool(tree, ["clang-format", "--dry-run", "--Werror"],
                        tree.c_files())


def check_banned(tree):
    """No function that overruns or hides errors; libraries never print or exit."""
    for path in tree.c_files():
        source = without_comments(tree.read(path))
        names = dict(BANNED)
        if is_under(path, ("common", "worker", "coordinator")):
            names.update(dict.fromkeys(PROGRAM_ONLY, "a status: libraries return"))
        for match in re.finditer(rf"(?<![\w.>])({'|'.join(names)})\s*\(", source):
            name = match.group(1)
            yield (f"{path}:{line_of(source, match.start())}: {name} is banned, "
                   f"use {names[name]}")
        for match in re.finditer(r"\btypedef\s+(struct|enum|union)\b\s*\w*\s*"
                                 r"(?:\{|\w+\s*;)", source):
            yield (f"{path}:{line_of(source, match.start())}: typedef of a "
                   f"{match.group(1)}: write {match.group(1)} NAME where it is used")


def check_owners(tree):
    """Each library's header is included by its owners alone."""
    for path in tree.c_files():
        for line, mark, name in includes_of(tree, path):
            if mark != "<" or name.removesuffix(".h") in STANDARD_HEADERS:
                continue
            if name not in HEADER_OWNERS:
                if not is_under(path, ("tests", "bench")):
                    yield (f"{path}:{line}: <{name}> has no owner: name one in "
                           "HEADER_OWNERS of tests/lint/lint.py")
            elif not (re.fullmatch(HEADER_OWNERS[name], path)
                      or is_under(path, ("tests", "bench"))):
                yield (f"{path}:{line}: <{name}> belongs to "
                       f"{HEADER_OWNERS[name]}: call that instead")


def check_layers(tree):
    """Includes go down the layers, by paths from the root of the tree."""
    known = set(tree.files)
    for path in tree.c_files():
        own = folder_of(path)
        for line, mark, name in includes_of(tree, path):
            if mark == "<" or name in GENERATED_HEADERS:
                continue
            beside = os.path.join(os.path.dirname(path), name)
            if own in ("tests", "bench"):
                if name not in known and beside not in known:
                    yield f"{path}:{line}: \"{name}\" is no file of the tree"
            elif name not in known:
                yield (f"{path}:{line}: \"{name}\" is no file of the tree: write "
                       "the path from its root")
            elif own not in LOWER:
                yield f"{path}:{line}: folder {own} has no layer: add it to LOWER"
            elif folder_of(name) != own and not is_under(name, LOWER[own]):
                yield (f"{path}:{line}: \"{name}\" is not below {own}, which may "
                       f"include {', '.join(LOWER[own]) or 'nothing else'}")


def check_headers(tree):
    """Every header compiles alone."""
    if not shutil.which(tree.cc):
        raise Skip(f"{tree.cc} is not installed")
    headers = [path for path in tree.c_files() if path.endswith(".h")]
    flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror",
             "-fsyntax-only", "-I", "."]
    for folder in tree.includes:
        flags += ["-isystem", folder]

    def compile_alone(path):
        return path, subprocess.run(
            [tree.cc, *flags, "-include", path, "-x", "c", os.devnull],
            cwd=tree.root, capture_output=True, text=True, check=False)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, result in pool.map(compile_alone, headers):
            if result.returncode:
                yield f"{path}:1: does not compile alone:\n{result.stderr.rstrip()}"


def check_length(tree):
    """A .c file is one thing, of at most 600 lines."""
    for path in tree.c_files():
        n = tree.read(path).count("\n")
        if path.endswith(".c") and n > C_LINES:
            yield f"{path}:{n}: {n} lines, at most {C_LINES}: split it by its jobs"


def check_shell(tree):
    """Scripts pass shellcheck."""
    yield from run_tool(tree, ["shellcheck", "-x"], tree.shell_files())


def check_python(tree):
    """Python files pass pyflakes."""
    yield from run_tool(tree, ["pyflakes3"], tree.python_files())


def search(tree, pattern, what):
    for path in tree.files:
        if NOT_OURS.fullmatch(path):
            continue
        source = tree.read(path)
        if "\0" in source:
            continue
        for match in re.finditer(pattern, source):
            yield f"{path}:{line_of(source, match.start())}: {match.group(0)}: {what}"


def check_paths(tree):
    """No path of one machine, and no package registry, in any file."""
    pattern = r"(?<![\w.])(?:" + "|".join(map(re.escape, MACHINE_PATHS)) + ")"
    yield from search(tree, pattern, "a path or host of one machine: take it out")


def check_words(tree):
    """Nothing is left open."""
    yield from search(tree, r"\b(?:" + "|".join(OPEN_WORDS) + r")\b",
                      "do it, or say in the documentation that it is not there")


def check_links(tree):
    """Every relative link of the documentation leads to a file."""
    for path in tree.files:
        if not path.endswith(".md") or NOT_OURS.fullmatch(path):
            continue
        source = re.sub(r"```.*?```|`[^`\n]*`",
                        lambda match: re.sub(r"[^\n]", " ", match.group(0)),
                        tree.read(path), flags=re.DOTALL)
        for match in re.finditer(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)", source):
            target = match.group(1)
            if re.match(r"[a-z]+:", target):
                continue
            place = os.path.join(tree.root, os.path.dirname(path), target)
            if not os.path.exists(place):
                yield (f"{path}:{line_of(source, match.start())}: the link to "
                       f"{target} leads nowhere")


def check_statuses(tree):
    """docs/exit-status.md has the rows of STATUS_LIST in common/base/err.h."""
    source, page = "common/base/err.h", "docs/exit-status.md"
    if source not in tree.files:
        return
    rows = re.findall(r'X\((STATUS_\w+),\s*(\d+),\s*"([^"]*)"\)', tree.read(source))
    told = re.findall(r"^\| `(STATUS_\w+)` \| (\d+) \| (.*?) \|$",
                      tree.read(page) if page in tree.files else "", flags=re.MULTILINE)
    for row in rows:
        if row not in told:
            yield f"{page}:1: lacks the row | `{row[0]}` | {row[1]} | {row[2]} |"
    for row in told:
        if row not in rows:
            yield f"{page}:1: {row[0]} with {row[1]}, \"{row[2]}\" is not in {source}"


CHECKS = {name.removeprefix("check_"): function
          for name, function in list(globals().items())
          if name.startswith("check_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--root", default=".")
    parser.add_argument("--cc", default="gcc")
    parser.add_argument("--include", action="append", default=[], metavar="DIR")
    options = parser.parse_args()
    check = CHECKS[options.check]
    try:
        tree = Tree(options.root, options.cc, options.include)
        faults = list(check(tree))
    except Skip as reason:
        print(f"skipped: {reason}")
        return 77
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults. The rule: {check.__doc__}" if faults
          else f"held: {check.__doc__}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
