"""Every check of lint.py finds a fault planted for it, and nothing else."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402  (found by the line above)

SOUND = {
    ".clang-format": "BasedOnStyle: LLVM\n",
    "common/base/a.h": "struct a;\n",
    "common/base/a.c": '#include "common/base/a.h"\n\n#include <stdio.h>\n',
    "common/model/m.c": '#include "common/base/a.h"\n',
    "cli/main.c": '#include <mpi.h>\n\n#include "common/base/a.h"\n',
    "common/base/err.h": '#define STATUS_LIST(X) X(STATUS_OK, 0, "done")\n',
    "docs/exit-status.md": "| code | exit | meaning |\n| `STATUS_OK` | 0 | done |\n",
    "run.sh": '#!/bin/sh\necho "$1"\n',
    "tool.py": "import os\nprint(os.name)\n",
    "README.md": "[the tool](tool.py#L1), [elsewhere](https://example.org)\n"
                 "`[code](is no link)`\n",
}


class Lint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        subprocess.run(["git", "init", "-q", self.root], check=True)
        for path, content in SOUND.items():
            self.write(path, content)

    def write(self, path, content):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)

    def faults(self, check):
        try:
            return list(lint.CHECKS[check](lint.Tree(self.root)))
        except lint.Skip as reason:
            self.skipTest(str(reason))

    def finds(self, check, path, content, *words):
        """`check` finds one fault in a file, and its sentence has the words."""
        self.write(path, content)
        faults = self.faults(check)
        os.remove(os.path.join(self.root, path))
        self.assertEqual(len(faults), 1, faults)
        for word in (path, *words):
            self.assertIn(word, faults[0])

    def test_a_sound_tree_has_no_fault(self):
        for check in lint.CHECKS:
            with self.subTest(check=check):
                self.assertEqual(self.faults(check), [])

    def test_format(self):
        self.finds("format", "common/base/b.c", "int  x;\n", "clang-format")

    def test_banned_functions(self):
        self.finds("banned", "cli/b.c", "\nint n = atoi(s);\n", ":2:", "strtol")
        self.finds("banned", "common/base/b.c", "void f(void) { exit(1); }\n", "exit")
        self.finds("banned", "cli/b.h", "typedef struct a a;\n", "struct")
        self.finds("banned", "cli/b.h", "typedef enum {\nA } a;\n", "enum")

    def test_banned_functions_are_no_words_of_comments_and_strings(self):
        self.write("cli/b.c", '/* atoi(s) */\nchar *s = "gets(\\"x\\")"; // gets()\n'
                              "int my_atoi(char *s);\nvoid f(void) { exit(1); }\n"
                              "typedef enum status (*visit)(int);\n")
        self.assertEqual(self.faults("banned"), [])

    def test_owners_of_headers(self):
        self.finds("owners", "worker/b.c", "#include <mpi.h>\n", "cli/main")
        self.finds("owners", "common/base/b.c", "# include <curl/curl.h>\n", "owner")
        self.write("tests/b.c", "#include <mpi.h>\n#include <cmocka.h>\n")
        self.assertEqual(self.faults("owners"), [])

    def test_layers(self):
        self.write("worker/w.h", "struct w;\n")
        self.write("common/model/m.h", "struct m;\n")
        self.finds("layers", "common/base/b.c", '#include "common/model/m.h"\n', "below")
        self.finds("layers", "coordinator/b.c", '#include "worker/w.h"\n', "below")
        self.finds("layers", "common/model/b.c", '#include "worker/w.h"\n', "below")
        self.finds("layers", "cli/b.c", '#include "a.h"\n', "root")
        self.finds("layers", "extra/b.c", '#include "worker/w.h"\n', "layer")
        self.write("cli/b.c", '#include "worker/w.h"\n#include "build_info.h"\n')
        self.assertEqual(self.faults("layers"), [])

    def test_headers_compile_alone(self):
        self.finds("headers", "common/base/b.h", "size_t f(void);\n", "size_t")

    def test_length(self):
        self.finds("length", "cli/b.c", "\n" * 601, "601")

    def test_shell(self):
        self.finds("shell", "do.sh", "#!/bin/sh\nrm $1\n", "SC2086")

    def test_python(self):
        self.finds("python", "b.py", "import os\n", "unused")

    def test_machine_paths(self):
        for path in lint.MACHINE_PATHS:
            self.finds("paths", "b.md", f"see {path}b\n", path)
        self.finds("paths", "b.md", "see https://" + lint.MACHINE_PATHS[-1], "machine")
        self.write("b.md", "tests/" + "work/b\n")
        self.assertEqual(self.faults("paths"), [])

    def test_open_words(self):
        for word in lint.OPEN_WORDS:
            self.finds("words", "b.c", f"/* {word}: later */\n", word)

    def test_links(self):
        self.finds("links", "docs/b.md", "[x](../tool.p)\n", "tool.p")

    def test_statuses(self):
        page = "docs/exit-status.md"
        for row in ("| `STATUS_OK` | 0 | fine |\n", "| `STATUS_OK` | 1 | done |\n"):
            self.write(page, row)
            lacking, unknown = self.faults("statuses")
            self.assertIn("lacks the row | `STATUS_OK` | 0 | done |", lacking)
            self.assertIn("STATUS_OK", unknown)
        os.remove(os.path.join(self.root, page))
        self.assertEqual(len(self.faults("statuses")), 1)

    def test_new_files_count_and_ignored_ones_do_not(self):
        self.write(".gitignore", "/build/\n")
        self.write("build/b.c", "int n = atoi(s);\n")
        self.assertEqual(self.faults("banned"), [])

    def test_outside_a_checkout_a_check_is_skipped(self):
        shutil.rmtree(os.path.join(self.root, ".git"))
        with self.assertRaises(lint.Skip):
            lint.Tree(self.root)


if __name__ == "__main__":
    unittest.main()
