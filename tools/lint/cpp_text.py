"""Just enough understanding of formatted C++ to find where functions begin and end."""

import dataclasses
import re

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/                      # comments
    |R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"  # raw strings
    |"(?:\\.|[^"\\\n])*"                         # strings
    |(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'         # characters, not digit separators
    """, re.DOTALL | re.VERBOSE)

NOT_A_FUNCTION = re.compile(
    r"^(inline )?(namespace|class|struct|union|enum|typedef)\b")


@dataclasses.dataclass
class Function:
    line: int
    lines: int


def strip_comments_and_strings(text):
    """Blanks comments and the contents of literals, and keeps every line break and offset."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    code = TOKEN.sub(blank, text)
    # Preprocessor lines with their continuations: a macro's braces belong to no function.
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, code, flags=re.MULTILINE)


def opens_function(head):
    """Is `head`, the text since the last ; { or }, the declarator of a function body?"""
    head = " ".join(re.sub(r"^\s*(public|private|protected)\s*:", "", head).split())
    head = re.sub(r"^template <.*?> (requires .*? )?(?=\w)", "", head)
    if NOT_A_FUNCTION.match(head) or "(" not in head:
        return False
    before = head[: head.index("(")]
    # `x = f(...) {`, but not `operator=(`
    return "=" not in before or "operator" in before


def functions(code):
    """Functions outside other functions, with their length from declarator to closing brace."""
    found = []
    open_braces = []  # for each: (what it is, line where that began, parentheses open around it)
    depth_of_function = 0
    parens = 0
    start = 0
    for match in re.finditer(r"[{}();]", code):
        mark, at = match[0], match.start()
        if mark == "(":
            parens += 1
        elif mark == ")":
            parens -= 1
        elif mark == ";":
            start = match.end() if parens == 0 else start
        elif mark == "{":
            head = code[start:at]
            kind = "block"
            if at > 0 and not code[at - 1].isspace():  # the format puts a space before every body
                kind = "initializer"
            elif depth_of_function == 0 and parens == 0 and opens_function(head):
                kind = "function"
                depth_of_function += 1
            first = start + len(head) - len(head.lstrip())
            open_braces.append((kind, code.count("\n", 0, first) + 1, parens))
            parens = 0
            start = start if kind == "initializer" else match.end()
        elif open_braces:
            kind, line, parens = open_braces.pop()
            start = start if kind == "initializer" else match.end()
            if kind == "function":
                depth_of_function -= 1
                found.append(Function(line, code.count("\n", 0, at) + 2 - line))
    return found
