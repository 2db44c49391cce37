#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages of section 3, from the comments of the public headers.

    generate.py --version 1.2.3 --dated-like man/lfset.7 --output DIRECTORY HEADER...

What it reads, and what a page is made of:

  /** Summary. More. @param name text @return ... @see name */ above an LFSET_API function: a page.
      The first sentence is the page's line in `apropos`, so it is short. Functions that follow
      without an empty line between belong to the same page, and their names are links to it.
      @return tells the outcomes, then the errors, each `-ENAME`, or several with commas, and
      `: why`.
  /** ... */ above `struct x {` or `enum x {`: a page of that name; the members have comments of
      their own, before them, or after them as /**< ... */.
  @file comments: a page for the header, with its functions under the headings
      `/* ---- so ---- */`. Macros with names like functions have no pages of their own, only links
      to this one.

In comments `this` is code, lines that begin with "- " are a list, lines that are indented by four
are shown as they are, an empty line begins a paragraph.
A comment that is missing or names what does not exist is an error, with its place.
"""
import argparse
import os
import re
import sys
import textwrap

SUMMARY_MAX = 80
WIDTH = 72  # of prototypes: what a page shows on a terminal of 80 columns

# What lfset.h says an error means about which a comment says no more.
USUAL_ERRORS = {
    "EINVAL": "An argument is NULL, or has a value that it may not have.",
    "ENOMEM": "There is not enough memory.",
    "ECANCELED": "The token was cancelled before the call was done.",
    "ETIMEDOUT": "The token's deadline passed before the call was done.",
}
ERROR = r"-(?:E[A-Z0-9]+|errno)\b"


class Malformed(Exception):
    pass


# ---------------------------------------------------------------- reading headers
class Comment:
    """A documentation comment: paragraphs of text, and what its @-words say."""

    def __init__(self, body, place):
        self.place = place
        # paragraphs; "- " begins an item of a list, four blanks begin what is shown as it is
        self.text = []
        self.tags = {"param": [], "return": [], "see": [], "file": []}
        current = None
        for line in re.sub(r"\s@(?=[a-z])", "\n@", body.strip()).split("\n"):
            as_it_is = re.match(r"\s*\* {5}", line)
            line = re.sub(r"^\s*\*(\s|$)", "", line)
            line = line.rstrip() if as_it_is else line.strip()
            tag = re.match(r"@(\w+) ?(.*)", line)
            if tag:
                if tag[1] not in self.tags:
                    raise Malformed(f"{place}: there is no @{tag[1]}")
                current = self.tags[tag[1]]
                current.append(tag[2])
                if tag[1] in ("file", "see"):
                    current = None
            elif current is not None and line:
                current[-1] += " " + line
            elif not line:
                current = None
                self.text.append("")
            elif as_it_is and self.text[-1].startswith("    "):
                self.text[-1] += "\n" + line
            elif as_it_is or line.startswith("- ") or not self.text:
                self.text.append(line)
            else:
                self.text[-1] = (self.text[-1] + " " + line).strip()
        self.text = [paragraph for paragraph in self.text if paragraph]
        if len(self.tags["return"]) > 1:
            raise Malformed(f"{place}: two @return")

    def summary(self):
        """The first sentence, as an apropos line has it."""
        if not self.text:
            raise Malformed(f"{self.place}: the comment does not begin with what this is")
        sentence = re.sub(r"^lfset_\w+: ", "", sentences(self.text[0])[0])
        sentence = sentence.rstrip(".").replace("`", "")
        if len(sentence) > SUMMARY_MAX:
            sentence = sentence.split(": ")[0]
        if len(sentence) > SUMMARY_MAX:
            raise Malformed(f"{self.place}: the first sentence is longer than {SUMMARY_MAX}")
        return sentence[0].lower() + sentence[1:]


class Function:
    pattern = re.compile(r"LFSET_API\s+([^;(]*?)\b(lfset_\w+)\s*\((.*)\)$", re.S)

    def __init__(self, declaration, comment):
        result, self.name, parameters = self.pattern.match(declaration).groups()
        self.result = " ".join(result.split())
        if self.result.endswith("*"):
            self.result = self.result[:-1].rstrip() + " *"
        else:
            self.result += " "
        self.parameters = [" ".join(one.split()) for one in split_outside_parentheses(parameters)]
        self.names = [name for one in self.parameters for name in names_in(one)]
        self.comment = comment
        for text in comment.tags["param"]:
            if text.split()[0] not in self.names:
                raise Malformed(f"{comment.place}: {self.name} has no parameter {text.split()[0]}")


class Type:
    def __init__(self, kind, name, body, comment):
        self.kind, self.name, self.comment = kind, name, comment
        self.declaration = None
        self.members = []
        if body is None:
            return
        bare = re.sub(r"[ \t]*/\*.*?\*/", "", body, flags=re.S)
        lines = [re.sub(r" +", " ", line.strip()) for line in bare.split("\n")]
        lines = ["    " + line for line in lines if line]
        self.declaration = [f"{kind} {name} {{"] + lines + ["};"]
        delimiter = ";" if kind == "struct" else ","
        pending = None
        tokens = rf"/\*\*(<?)(.*?)\*/|/\*.*?\*/|([^{delimiter}/]+){delimiter}?"
        for token in re.finditer(tokens, body, re.S):
            trailing, text, member = token.groups()
            if member and member.strip():
                found = re.search(r"\(\*(\w+)\)", member) if kind == "struct" else None
                found = found or re.search(r"(\w+)(?:\[\w*\])*\s*$" if kind == "struct" else r"(\w+)", member)
                self.members.append([found[1], pending])
                pending = None
            elif text and trailing:
                self.members[-1][1] = Comment(text, comment.place)
            elif text:
                pending = Comment(text, comment.place)


class Header:
    TOKEN = re.compile(
        r"/\*\*(?P<comment>(?:(?!\*/).)*)\*/\n?"
        r"|/\* -{4} (?P<heading>.*?) -* \*/"
        r"|(?P<function>^LFSET_API [^;]*);"
        r"|^(?P<kind>struct|enum) (?P<type>lfset_\w+)(?: \{(?P<body>.*?)\n?\})?;"
        r"|^#define (?P<macro>\w+(?:\([^)]*\))?)(?:[^\n]*\\\n)*[^\n]*$", re.S | re.M)

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            source = file.read()
        stem = os.path.splitext(os.path.basename(path))[0]
        self.path = path
        self.include = "lfset/" + os.path.basename(path)
        self.name = "lfset" if stem == "lfset" else "lfset_" + stem
        self.comment = None
        self.types = []
        self.macros = []    # (name or name(arguments), comment)
        self.aliases = sorted(set(re.findall(r"^# *define (lfset_[a-z]\w*)\(", source, re.M)))
        self.families = []  # (heading, [function, ...])
        self.heading = ""
        self.read(source)
        if self.comment is None:
            raise Malformed(f"{path}:1: no @file comment")

    def read(self, source):
        comment = None    # the one before this token
        adjoins = False   # a function comes before that, with no empty line between
        previous, end = None, 0
        for token in self.TOKEN.finditer(source):
            place = f"{self.path}:{source.count(chr(10), 0, token.start()) + 1}"
            between = source[end:token.start()]
            if between.strip():
                comment = None
            if token["comment"] is not None:
                comment = Comment(token["comment"], place)
                adjoins = previous is not None and bool(previous["function"]) and between == "\n"
                if comment.tags["file"]:
                    self.comment, comment = comment, None
            else:
                self.take(token, place, comment, adjoins)
                comment = None
            previous, end = token, token.end()

    def take(self, token, place, comment, adjoins):
        if token["heading"]:
            self.heading = token["heading"]
        elif token["function"]:
            if comment is None:
                raise Malformed(f"{place}: the function has no comment")
            function = Function(token["function"], comment)
            if adjoins:
                self.families[-1][1].append(function)
            else:
                self.families.append((self.heading, [function]))
        elif token["kind"] and comment is not None:
            self.types.append(Type(token["kind"], token["type"], token["body"], comment))
        elif token["kind"] and token["body"] is not None:
            raise Malformed(f"{place}: {token['type']} has no comment")
        elif token["macro"] and comment is not None:
            self.macros.append((token["macro"], comment))


def split_outside_parentheses(text):
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def names_in(parameter):
    """The names that a parameter's declaration introduces."""
    return [name for name in re.findall(r"\b(\w+)(?=\s*(?:[,)]|$))", parameter) if name != "void"]


def sentences(text):
    return re.split(r"(?<=[^.]\.) (?=[A-Z`*({]|lfset_|\w+\[)|(?<=\.\)) (?=[A-Z])", text)


# ---------------------------------------------------------------- writing roff
def escape(text, code=False):
    text = text.replace("\\", "\\e").replace("^", "\\(ha").replace("~", "\\(ti")
    # a hyphen joins two words; everything else that looks like one is a minus
    minus = "-" if code else r"(?<![A-Za-z])-|-(?![A-Za-z(])"
    text = re.sub(minus, r"\\-", text)
    return text.replace("'", "\\(aq") if code else text


def bold(text):
    return f"\\fB{escape(text, True)}\\fP"


def italic(text):
    return f"\\fI{escape(text, True)}\\fP"


def fonts(pieces):
    """A line of (font, text), each run of one font in one pair of escapes."""
    out, current = "", None
    for font, text in pieces:
        if text and font != current:
            out += ("\\fP" if current else "") + "\\f" + font
            current = font
        out += escape(text, True)
    return out + "\\fP"


def fill(lines):
    """Text lines for roff, each sentence on lines of its own, none taken for a request."""
    out = []
    for line in lines:
        out += textwrap.wrap(line, 78, break_long_words=False, break_on_hyphens=False)
    return "".join(("\\&" if line[0] in ".'" else "") + line + "\n" for line in out)


class Page:
    def __init__(self, manual, names, summary, include):
        self.manual, self.names = manual, names
        self.known = ()  # parameters
        self.references = set()
        self.body = ""
        self.section("NAME")
        self.body += ",\n".join(names) + " \\-\n" + fill([escape(summary)])
        self.section("LIBRARY")
        self.body += "Lock-free concurrent sets\n.RI ( liblfset \", \" \\-llfset )\n"
        self.section("SYNOPSIS")
        self.body += f".nf\n\\fB#include <{include}>\\fP\n"

    def section(self, title):
        self.body += f".SH {title}\n" if " " not in title else f'.SH "{title}"\n'

    def word(self, match):
        kind, text = match.lastgroup, match[0]
        if kind == "code":
            code = match["code"][1:-1]
            return italic(code) if code in self.known else self.inline(code, True)
        if kind == "manual":
            name, section = text[:-1].split("(")
            if name not in self.names or section != "3":
                self.references.add((section, name))
            return f"{bold(name)}({section})"
        if kind == "ours":
            name = re.match(r"\w+", text)[0]
            page = self.manual.page_of.get(name)
            if page and page not in self.names:
                self.references.add(("3", page))
            return bold(name) + ("(3)" if page and name not in self.names else text[len(name):])
        if kind in ("error", "constant"):
            return bold(text)
        if kind == "call":
            name, arguments = text[:-1].split("(")
            return f"{italic(name)}({', '.join(italic(one) for one in arguments.split(', '))})"
        star, name, rest = re.match(r"(\*?)(\w+)(.*)", text).groups()
        return star + italic(name) + escape(rest)

    def inline(self, text, code=False):
        known = "|".join(map(re.escape, self.known)) or "(?!)"
        pattern = (r"(?P<code>`[^`]+`)|(?P<manual>\b[a-z][\w-]*\(\d\))"
                   r"|(?P<ours>\blfset_[a-z]\w*\w\b(?:\(\))?)"
                   rf"|(?P<error>{ERROR})|(?P<constant>\bLFSET_[A-Z0-9_]*[A-Z0-9]\b)"
                   rf"|(?P<call>\b(?:{known})\((?:\w+)(?:, \w+)*\))"
                   rf"|(?P<parameter>\*(?:{known})\b|\b(?:{known})"
                   r"(?=\[|->| is NULL| are NULL| is not NULL))")
        out, end = "", 0
        for match in re.finditer(pattern, text):
            plain = escape(text[end:match.start()], code)
            out += (f"\\fB{plain}\\fP" if code and plain else plain) + self.word(match)
            end = match.end()
        plain = escape(text[end:], code)
        return out + (f"\\fB{plain}\\fP" if code and plain else plain)

    def prose(self, text):
        self.body += fill(self.inline(sentence) for sentence in sentences(text))

    def paragraphs(self, texts):
        in_list = False
        for number, text in enumerate(texts):
            if text.startswith("    "):
                self.body += ".PP\n.nf\n"
                self.declaration(line[4:] for line in text.split("\n"))
                self.body += ".fi\n"
                in_list = False
                continue
            if text.startswith("- "):
                self.body += ".IP \\(bu 2\n"
                self.prose(text[2:])
                in_list = True
                continue
            if number or in_list:
                self.body += ".PP\n"
            in_list = False
            self.prose(text)

    def item(self, head, texts):
        self.body += f".TP\n{head}\n"
        for number, text in enumerate(texts):
            self.body += ".IP\n" if number else ""
            self.prose(text.removeprefix("- "))

    def declaration(self, lines):
        for line in lines:
            self.body += f"\\fB{escape(line, True)}\\fP\n"

    def prototype(self, function):
        def pieces(parameter):
            names = names_in(parameter)
            parts = re.split(r"(\w+)", parameter)
            return [("I" if part in names else "B", part) for part in parts if part]

        head = function.result + function.name + "("
        lines = [[("B", head)]]
        width = len(head)
        fits = len(head) + max(map(len, function.parameters)) + 2 <= WIDTH
        indent = len(head) if fits else 4
        for number, parameter in enumerate(function.parameters):
            end = "," if number < len(function.parameters) - 1 else ");"
            gap = " " if number else ""
            if width + len(gap + parameter + end) > WIDTH and (number or not fits):
                lines.append([("B", " " * indent)])
                width, gap = indent, ""
            lines[-1] += [("B", gap)] + pieces(parameter) + [("B", end)]
            width += len(gap + parameter + end)
        self.body += "".join(fonts(line) + "\n" for line in lines)

    def see_also(self, extra):
        own = {("3", name) for name in self.names}
        pages = sorted((self.references | extra) - own)
        self.section("SEE ALSO")
        lines = [f".BR {escape(name, True)} ({section})" for section, name in pages]
        self.body += ",\n".join(lines) + "\n"

    def text(self):
        manual = self.manual
        return ('.\\" Generated from the comments of the headers; do not edit.\n'
                f'.TH {self.names[0]} 3 {manual.date} "lfset {manual.version}" "Library Functions"\n'
                '.nh\n' + self.body)


def split_return(text):
    """What @return says: the outcomes, and a list of (errors, why)."""
    clauses = re.split(rf"(?:(?<=[;.]) |^)(?={ERROR})", text)
    outcome, errors = clauses[0].strip(" ;"), []
    for clause in clauses[1:]:
        match = re.match(rf"({ERROR}(?:(?:,|,? or) {ERROR})*)(?:: (.*))?$", clause.strip(" ;."))
        if not match:
            raise Malformed(f"@return: cannot read \"{clause.strip()}\"")
        errors.append((re.findall(ERROR, match[1]), match[2]))
    return outcome, errors


class Manual:
    def __init__(self, version, date, headers):
        self.version, self.date = version, date
        self.headers = headers
        self.page_of = {}  # what a text may refer to -> the page that describes it
        for header in headers:
            self.page_of |= {name: header.name for name in [header.name] + header.aliases}
        for header in headers:
            for type_ in header.types:
                page = type_.name if type_.declaration else header.name
                self.page_of.setdefault(type_.name, page)
            for _, family in header.families:
                for function in family:
                    self.page_of[function.name] = function.name

    def pages(self):
        """All of them: (name, text)."""
        functions = {function.name for header in self.headers for _, family in header.families
                     for function in family}
        for header in self.headers:
            if header.name not in functions:
                yield header.name, self.header_page(header)
            for name in header.aliases:
                yield name, f".so man3/{header.name}.3\n"
            for type_ in header.types:
                if type_.declaration and type_.name not in functions:
                    yield type_.name, self.type_page(header, type_)
            for _, family in header.families:
                text = self.family_page(header, family)
                yield family[0].name, text
                for function in family[1:]:
                    yield function.name, f".so man3/{family[0].name}.3\n"

    def header_page(self, header):
        page = Page(self, [header.name] + header.aliases, header.comment.summary(), header.include)
        opaque = [type_ for type_ in header.types if not type_.declaration]
        if opaque:
            page.body += ".PP\n"
        page.declaration(f"{type_.kind} {type_.name};" for type_ in opaque)
        page.body += ".fi\n"
        page.section("DESCRIPTION")
        page.paragraphs(header.comment.text)
        whole = [type_ for type_ in header.types if type_.declaration]
        if opaque or whole:
            page.section("TYPES")
        for type_ in opaque + whole:
            page.item(bold(f"{type_.kind} {type_.name}"), type_.comment.text if type_ in opaque
                      else [f"{sentences(type_.comment.text[0])[0]} See {type_.name}(3)."])
        if header.macros:
            page.section("MACROS")
        for name, comment in header.macros:
            page.item(bold(name), comment.text)
        if header.families:
            page.section("FUNCTIONS")
        shown = ""
        for heading, family in header.families:
            if heading != shown:
                page.body += f'.SS "{escape(heading[0].upper() + heading[1:])}"\n'
                shown = heading
            page.known = family[0].names
            names = "\n.TQ\n".join(bold(function.name) + "(3)" for function in family)
            page.item(names, [first_upper(family[0].comment.summary()) + "."])
        page.known = ()
        page.see_also({("7", "lfset")} | {("3", type_.name) for type_ in whole})
        return page.text()

    def type_page(self, header, type_):
        page = Page(self, [type_.name], type_.comment.summary(), header.include)
        page.body += ".PP\n"
        page.declaration(type_.declaration)
        page.body += ".fi\n"
        page.section("DESCRIPTION")
        page.known = [name for name, _ in type_.members]
        self.describe_type(page, type_)
        page.see_also({("7", "lfset"), ("3", header.name)})
        return page.text()

    @staticmethod
    def describe_type(page, type_):
        page.paragraphs(type_.comment.text)
        for name, comment in type_.members:
            if comment:
                page.item((italic if type_.kind == "struct" else bold)(name), comment.text)

    def family_page(self, header, family):
        first = family[0]
        names = [function.name for function in family]
        page = Page(self, names, first.comment.summary(), header.include)
        page.known = list(dict.fromkeys(name for function in family for name in function.names))
        types = [type_ for type_ in header.types if type_.name == first.name]
        for type_ in types:
            page.body += ".PP\n"
            page.declaration(type_.declaration)
        for function in family:
            page.body += ".PP\n"
            page.prototype(function)
        page.body += ".fi\n"

        page.section("DESCRIPTION")
        page.paragraphs(first.comment.text)
        for type_ in types:
            page.body += ".PP\n"
            self.describe_type(page, type_)
        for function in family[1:]:
            if function.comment.text:
                page.item(bold(function.name) + "()", function.comment.text)
        for function in family:
            for text in function.comment.tags["param"]:
                name, _, rest = text.partition(" ")
                page.item(italic(name), [first_upper(rest)])
            for name in " ".join(function.comment.tags["see"]).replace(",", " ").split():
                if name not in self.page_of:
                    raise Malformed(f"{function.comment.place}: @see {name}: there is no such name")
                if name not in page.names:
                    page.references.add(("3", name))

        self.returned(page, family)
        declared = " ".join(parameter for function in family for parameter in function.parameters)
        types = {self.page_of[name] for name in re.findall(r"\b(?:struct|enum) (\w+)", declared)}
        page.see_also({("7", "lfset"), ("3", header.name)} | {("3", name) for name in types})
        return page.text()

    @staticmethod
    def returned(page, family):
        first = family[0]
        if not first.comment.tags["return"]:
            if first.result != "void ":
                raise Malformed(f"{first.comment.place}: {first.name}: no @return")
            return
        try:
            outcome, errors = split_return(first.comment.tags["return"][0])
        except Malformed as error:
            raise Malformed(f"{first.comment.place}: {error}") from None
        page.section("RETURN VALUE")
        page.prose(first_upper(outcome).rstrip(".") + ".")
        named = {name for names, _ in errors for name in names}
        takes_token = "const struct lfset_cancel *cancel" in first.parameters
        if takes_token and first.name != "lfset_cancel_check":
            errors += [([name], None) for name in ("-ECANCELED", "-ETIMEDOUT") if name not in named]
        if not errors:
            return
        page.body += "Failures are negative error numbers.\n"
        page.section("ERRORS")
        for names, why in errors:
            for number, name in enumerate(names):
                page.body += ".TP\n" if number == 0 or not why else ".TQ\n"
                page.body += (bold(name) if name != "-errno" else "\\-" + italic("errno")) + "\n"
                if not why and name[1:] not in USUAL_ERRORS:
                    raise Malformed(f"{first.comment.place}: {first.name}: {name} without a reason")
                if not why:
                    page.prose(USUAL_ERRORS[name[1:]])
            if why:
                page.prose((why if why.split()[0] in page.known else first_upper(why)) + ".")


def first_upper(text):
    return text[:1].upper() + text[1:]


# ---------------------------------------------------------------- the program
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--version", required=True, help="of the library")
    parser.add_argument("--dated-like", required=True, metavar="PAGE",
                        help="a page whose date is taken")
    parser.add_argument("--output", required=True, metavar="DIRECTORY")
    parser.add_argument("headers", nargs="+", metavar="HEADER")
    arguments = parser.parse_args()
    with open(arguments.dated_like, encoding="utf-8") as file:
        date = re.search(r"^\.TH \S+ \d (\d{4}-\d\d-\d\d) ", file.read(), re.M)
    if not date:
        raise Malformed(f"{arguments.dated_like}:1: no .TH line with a date")
    manual = Manual(arguments.version, date[1], [Header(path) for path in arguments.headers])
    pages = dict(manual.pages())
    os.makedirs(arguments.output, exist_ok=True)
    for stale in os.listdir(arguments.output):
        if stale.endswith(".3") and stale[:-2] not in pages:
            os.remove(os.path.join(arguments.output, stale))
    for name, text in pages.items():
        with open(os.path.join(arguments.output, name + ".3"), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    try:
        main()
    except (Malformed, OSError) as error:
        sys.exit(f"generate.py: {error}")
