#!/usr/bin/env python3
"""Checks that every record field named under dashboards/ exists.

    check_fields.py --members FILE [--event-types FILE] [--dir DIR] [--list]

--members      the members of the record format, one a line; blank lines and lines that begin with # are skipped.
               details.<name> is allowed if `details` is listed.
--event-types  the standard event types, one a line. With it, the types and categories that the files compare
               with are checked too.
--dir          the directory to check [the one of this file]
--list         print every name found, with file, place and what it turned out to be

Exit status: 0 all known; 1 at least one unknown name, each printed with its file; 2 the check itself could not be done
(a file is missing or cannot be read, or nothing was found where there must be something).

A misspelt field is an error that nothing else reports: Loki answers such a query with an empty panel, a shipper leaves the
label out. So this is deliberately not a parser of YAML, Alloy and LogQL, but reads exactly the constructs that
name a field, knows no others, and stops with status 2 at a stage or a form it does not know rather than pass over it.

What counts as known, by place:
- json stages of the shippers and `| json x="y"` of LogQL read the line: y is a member.
- every other name in a shipper is one that an earlier stage made.
- every other name in a query is a label that both shippers make, or was extracted before it in the same query.
"""

import argparse
import json
import os
import re
import sys

SHIPPERS = ("promtail/promtail.yaml", "alloy/config.alloy")
DASHBOARD = "grafana/dashboards/audit-logs.json"

# Made by LogQL itself.
LOKI_NAMES = {"__error__", "__error_details__"}
# Columns that Grafana makes; a value column is "Value #" and the query's letter.
GRAFANA_COLUMN = re.compile(r"^(Time|Value( #[A-Z])?)$")


class CannotCheck(Exception):
    """Status 2: not a wrong name, but a file that this check cannot answer for."""


class Findings:
    def __init__(self, members, types):
        self.members, self.types, self.names, self.problems = members, types, [], []

    def note(self, file, place, name, kind):
        self.names.append((file, place, name, kind))

    def wrong(self, file, place, name, why):
        self.note(file, place, name, "WRONG")
        self.problems.append(f"{file}: {name!r} {why} ({place})")

    def member(self, file, place, path):
        """A path into the record: `status`, `details.method`, `details["http.method"]`."""
        first = re.match(r"\s*(\w+)\s*(.*)$", path, re.S)
        if first and first[1] in self.members and (not first[2] or first[1] in ("details", "regulatory_flags")):
            self.note(file, place, path, "member")
        else:
            self.wrong(file, place, path, "is not a member of the record")

    def known(self, file, place, name, known, why):
        if name in known:
            self.note(file, place, name, "derived")
        else:
            self.wrong(file, place, name, why)

    def event_type(self, file, place, value):
        if self.types and value not in self.types:
            self.wrong(file, place, value, "is not a standard event type")

    def category(self, file, place, value):
        # `other` and `unknown` are made by the shippers.
        if self.types and value not in {t.split(".")[0] for t in self.types} | {"other", "unknown"}:
            self.wrong(file, place, value, "is not a standard category")


# ---------------------------------------------------------------- shippers

def shipper(file, stages, found):
    """Walks the stages in order and returns the labels that they make.

    A stage is (type, arguments); arguments map a name to a string, or for maps and lists of names to a dict.
    """
    extracted, labels = set(), set()
    for number, (kind, args) in enumerate(stages, 1):
        place = f"stage {number}, {kind}"

        def source(name):
            found.known(file, place, name, extracted, "is not extracted by an earlier stage")

        if kind == "json":
            for name, path in args["expressions"].items():
                found.member(file, place, path or name)
                extracted.add(name)
        elif kind == "regex":
            if "source" in args:
                source(args["source"])
            groups = re.findall(r"\(\?P<(\w+)>", args["expression"])
            for name in groups:
                found.note(file, place, name, "derived")
            extracted.update(groups)
        elif kind == "template":
            source(args["source"])
            for name in template_names(args["template"]):
                if name not in ("Value", "Entry"):
                    source(name)
            if args["source"] == "category":
                for value in re.findall(r'"([^"]*)"', args["template"]):
                    found.category(file, place, value)
        elif kind == "timestamp":
            source(args["source"])
        elif kind in ("labels", "structured_metadata"):
            for name, origin in args["values"].items():
                source(origin or name)
                if kind == "labels":
                    found.note(file, place, name, "label")
                    labels.add(name)
        elif kind in ("labelallow", "label_keep"):
            for name in args["values"]:
                found.known(file, place, name, labels, "is not a label made by an earlier stage")
            labels &= set(args["values"])
        else:
            raise CannotCheck(f"{file}: stage `{kind}` is not known to check_fields.py; teach it what the stage reads and makes")
    if not labels:
        raise CannotCheck(f"{file}: no labels found")
    return labels


def template_names(text):
    """`.name` inside {{ }}, strings left out."""
    for action in re.findall(r"\{\{(.*?)\}\}", text, re.S):
        action = re.sub(r'"(?:\\.|[^"\\])*"|`[^`]*`', " ", action)
        yield from re.findall(r"(?<![\w)])\.([A-Za-z_]\w*)", action)


def yaml_lines(text):
    """(indent, content) of each line that is neither blank nor a comment."""
    for line in text.splitlines():
        quote, end = None, len(line)
        for i, c in enumerate(line):
            if quote:
                quote = None if c == quote else quote
            elif c in "'\"" and (i == 0 or line[i - 1] in " :[{,-"):
                quote = c
            elif c == "#" and (i == 0 or line[i - 1] in " \t"):
                end = i
                break
        content = line[:end].rstrip()
        if content.strip():
            yield len(content) - len(content.lstrip()), content.strip()


def yaml_scalar(file, text):
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return json.loads(text)
    if text[:1] in ("{", "[", "|", ">", "&", "*", "!"):
        raise CannotCheck(f"{file}: write {text!r} in block style, one entry a line")
    return text


def yaml_pair(file, text):
    pair = re.match(r"^([\w.-]+|'[^']*'|\"[^\"]*\"):(?:\s+(.*))?$", text)
    if not pair:
        raise CannotCheck(f"{file}: cannot read {text!r}")
    return yaml_scalar(file, pair[1]), yaml_scalar(file, pair[2] or "")


def promtail_stages(file, text):
    lines = list(yaml_lines(text))
    starts = [i for i, (_, content) in enumerate(lines) if content == "pipeline_stages:"]
    if not starts:
        raise CannotCheck(f"{file}: no pipeline_stages found")
    stages = []
    for start in starts:
        base = lines[start][0]
        body = []
        for indent, content in lines[start + 1:]:
            if indent < base or (indent == base and not content.startswith("- ")):
                break
            body.append((indent, content))
        item = body[0][0]
        for indent, content in body:
            if indent == item:
                head = re.match(r"^- (\w+):$", content)
                if not head:
                    raise CannotCheck(f"{file}: cannot read the stage {content!r}")
                kind, args, key, level = head[1], {}, None, None
                stages.append((kind, args))
                continue
            level = indent if level is None else level
            # These have their names directly below; the others name arguments.
            flat = kind in ("labels", "structured_metadata", "labelallow")
            if content.startswith("- "):
                args.setdefault("values", {})[yaml_scalar(file, content[2:].strip())] = ""
            elif flat:
                name, value = yaml_pair(file, content)
                args.setdefault("values", {})[name] = value
            elif indent == level:
                key, value = yaml_pair(file, content)
                args[key] = value if value else {}
            else:
                name, value = yaml_pair(file, content)
                args[key][name] = value
    return stages


def alloy_tokens(file, text):
    token = re.compile(r"""(?P<space>[\s,]+|//[^\n]*|/\*.*?\*/)|(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)"""
                       r"""|(?P<word>[A-Za-z_][\w.]*|[0-9][\w.]*)|(?P<mark>[{}\[\]()=+*/!<>&|%^-])""", re.S)
    at = 0
    while at < len(text):
        match = token.match(text, at)
        if not match:
            raise CannotCheck(f"{file}: cannot read {text[at:at + 30]!r}")
        at = match.end()
        if match.lastgroup == "string":
            raw = match[0]
            yield "string", raw[1:-1] if raw[0] == "`" else json.loads(raw)
        elif match.lastgroup != "space":
            yield match.lastgroup, match[0]


def alloy_stages(file, text):
    tokens = list(alloy_tokens(file, text))
    stages = []
    for i, (_, value) in enumerate(tokens):
        if not (value.startswith("stage.") and tokens[i][0] == "word" and tokens[i + 1][1] == "{"):
            continue
        args, at = {}, i + 2
        while tokens[at] != ("mark", "}"):
            name, equals = tokens[at][1], tokens[at + 1]
            if equals != ("mark", "="):
                raise CannotCheck(f"{file}: cannot read {name!r} in {value}")
            at += 2
            if tokens[at] in (("mark", "{"), ("mark", "[")):
                close = "}" if tokens[at][1] == "{" else "]"
                at, args[name] = at + 1, {}
                while tokens[at] != ("mark", close):
                    if close == "}":
                        args[name][tokens[at][1]] = tokens[at + 2][1]
                        at += 3
                    else:
                        args[name][tokens[at][1]] = ""
                        at += 1
            else:
                args[name] = tokens[at][1]
            at += 1
        stages.append((value[len("stage."):], args))
    if not stages:
        raise CannotCheck(f"{file}: no stages found")
    return stages


# ---------------------------------------------------------------- LogQL

LOGQL = re.compile(r"""(?P<space>\s+|\#[^\n]*)|(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<variable>\$\{[^}]*\}|\$\w+)"""
                   r"""|(?P<number>[0-9][\w.]*)|(?P<word>[A-Za-z_]\w*)"""
                   r"""|(?P<op>\|=|\|~|\|>|!=|!~|!>|=~|==|>=|<=|[|=<>{}()\[\],+*/%^-])""")
COMPARE = {"=", "==", "!=", "=~", "!~", ">", ">=", "<", "<="}
LINE_FILTER = {"|=", "|~", "|>", "!=", "!~", "!>"}


def logql_tokens(file, place, expr):
    at, tokens = 0, []
    while at < len(expr):
        match = LOGQL.match(expr, at)
        if not match:
            raise CannotCheck(f"{file}: {place}: cannot read {expr[at:at + 30]!r}")
        at = match.end()
        if match.lastgroup == "string":
            raw = match[0]
            tokens.append(("string", raw[1:-1] if raw[0] == "`" else re.sub(r"\\(.)", r"\1", raw[1:-1])))
        elif match.lastgroup != "space":
            tokens.append((match.lastgroup, match[0]))
    return tokens + [("end", "")] * 3


def logql(file, place, expr, labels, found):
    """Checks one query and returns the names that its result may carry."""
    tokens = logql_tokens(file, place, expr)
    here = set()          # extracted so far in the current pipeline; a new selector starts a new one
    everything = set()    # of all pipelines, for by (…) and on (…)
    parses_all = False
    grouped = set()
    later = []            # by (…) may stand before the pipeline that makes its names
    i = 0

    def names_until(close, i):
        names = []
        while tokens[i] != ("op", close):
            if tokens[i][0] == "end":
                raise CannotCheck(f"{file}: {place}: unclosed bracket")
            if tokens[i][0] == "word":
                names.append(tokens[i][1])
            i += 1
        return names, i

    def use(name, what):
        if parses_all and name in found.members:
            found.note(file, f"{place}, {what}", name, "member")
        else:
            found.known(file, f"{place}, {what}", name, here | labels | LOKI_NAMES,
                        "is neither a label nor extracted before it in the query")

    def compared(name, value):
        if name == "event_type" and re.fullmatch(r"[a-z_]+\.[a-z_]+", value):
            found.event_type(file, place, value)
        elif name == "event_type":
            for prefix, alternatives in re.findall(r"^([a-z_]+\\?\.)\(([a-z_|]+)\)$", value):
                for word in alternatives.split("|"):
                    found.event_type(file, place, prefix.replace("\\", "") + word)
        elif name == "category" and re.fullmatch(r"[a-z_]+", value):
            found.category(file, place, value)

    while tokens[i][0] != "end":
        kind, text = tokens[i]
        if text == "{" and kind == "op":
            here, parses_all = set(), False
            i += 1
            while tokens[i] != ("op", "}"):
                if tokens[i][0] == "end":
                    raise CannotCheck(f"{file}: {place}: unclosed selector")
                if tokens[i][0] == "word":
                    found.known(file, f"{place}, selector", tokens[i][1], labels, "is not a label that the shippers make")
                    compared(tokens[i][1], tokens[i + 2][1])
                    i += 2
                i += 1
        elif kind == "word" and text in ("by", "without", "on", "ignoring", "group_left", "group_right") and tokens[i + 1] == ("op", "("):
            names, i = names_until(")", i + 2)
            later += [(text, name) for name in names]
            if text == "by":
                grouped.update(names)
        elif kind == "op" and text in LINE_FILTER and tokens[i + 1][0] == "string":
            i += 1
            while True:
                for name in re.findall(r'"(\w+)":', tokens[i][1]):
                    found.member(file, f"{place}, line filter", name)
                for value in re.findall(r'"event_type":"([^"]+)', tokens[i][1]):
                    compared("event_type", value)
                if tokens[i + 1] != ("word", "or"):
                    break
                i += 2
        elif kind == "op" and text == "|":
            i += 1
            kind, text = tokens[i]
            if text in ("json", "logfmt"):
                if tokens[i + 1][0] != "word":
                    parses_all = True
                while tokens[i + 1][0] == "word":
                    name, path = tokens[i + 1][1], tokens[i + 1][1]
                    i += 1
                    if tokens[i + 1] == ("op", "="):
                        path = tokens[i + 2][1]
                        i += 2
                    found.member(file, f"{place}, json", path)
                    here.add(name)
                    if tokens[i + 1] == ("op", ","):
                        i += 1
            elif text in ("line_format", "label_format"):
                i += 1
                while tokens[i] != ("op", "|") and tokens[i][1] not in ("[", ")", ""):
                    kind, value = tokens[i]
                    if kind == "string":
                        for name in template_names(value):
                            use(name, text)
                    elif kind == "word" and tokens[i + 1] == ("op", "="):
                        made = value
                        if tokens[i + 2][0] == "word":
                            use(tokens[i + 2][1], text)
                            i += 2
                        here.add(made)
                    i += 1
                i -= 1
            elif text == "unwrap":
                i += 1
                if tokens[i + 1] == ("op", "("):
                    i += 2
                use(tokens[i][1], "unwrap")
            elif text in ("keep", "drop", "distinct"):
                while tokens[i + 1][0] == "word":
                    i += 1
                    use(tokens[i][1], text)
                    if tokens[i + 1][1] in COMPARE:
                        i += 2
                    if tokens[i + 1] == ("op", ","):
                        i += 1
            elif text in ("regexp", "pattern"):
                i += 1
                here.update(re.findall(r"<(\w+)>", tokens[i][1]))
            elif text != "decolorize":
                # A label filter: comparisons joined by and, or, commas and parentheses.
                depth = 0
                while tokens[i][0] != "end":
                    kind, text = tokens[i]
                    if text == "(" and kind == "op":
                        depth += 1
                    elif text == ")" and kind == "op":
                        depth -= 1
                        if depth < 0:
                            break
                    elif kind == "op" and text in {"|", "["} | LINE_FILTER - COMPARE:
                        break
                    elif kind == "op" and text in LINE_FILTER and tokens[i - 1][0] == "string":
                        break
                    elif kind == "word" and tokens[i + 1][1] in COMPARE and tokens[i + 1][0] == "op":
                        use(text, "label filter")
                        compared(text, tokens[i + 2][1])
                        i += 2
                    elif kind == "word" and text not in ("and", "or"):
                        raise CannotCheck(f"{file}: {place}: `{text}` is not known to check_fields.py")
                    i += 1
                i -= 1
            everything |= here
        i += 1

    for word, name in later:
        if parses_all and name in found.members:
            found.note(file, f"{place}, {word}", name, "member")
        else:
            found.known(file, f"{place}, {word}", name, everything | labels | LOKI_NAMES, "is neither a label nor extracted by the query")
    return grouped or everything | labels


# ---------------------------------------------------------------- Grafana

def dashboard(file, text, labels, found):
    try:
        board = json.loads(text)
    except ValueError as error:
        raise CannotCheck(f"{file}: {error}")
    variables = {v["name"] for v in board.get("templating", {}).get("list", [])}

    for variable in board.get("templating", {}).get("list", []):
        place = f"variable {variable['name']}"
        if variable["type"] == "query":
            query = variable["query"]
            if not isinstance(query, dict):
                raise CannotCheck(f"{file}: {place}: the query is not an object")
            found.known(file, place, query.get("label", ""), labels, "is not a label that the shippers make")
            if query.get("stream"):
                logql(file, place, query["stream"], labels, found)
        elif variable["type"] == "custom" and variable["name"] == "event_type":
            for value in variable["query"].split(","):
                found.event_type(file, place, value.strip())

    queries = 0

    def panels(items):
        for panel in items:
            yield panel
            yield from panels(panel.get("panels", []))

    for panel in panels(board.get("panels", [])):
        place = f"panel {panel.get('title', panel.get('id'))!r}"
        columns = set()
        for target in panel.get("targets", []):
            if not target.get("expr"):
                raise CannotCheck(f"{file}: {place}: a target without a query")
            queries += 1
            result = logql(file, place, target["expr"], labels, found)
            columns |= result
            for name in re.findall(r"\{\{\s*(\w+)\s*\}\}", target.get("legendFormat", "")):
                found.known(file, f"{place}, legend", name, result, "is not in the result of the query")
        for change in panel.get("transformations", []):
            options = change.get("options", {})
            for key in ("excludeByName", "includeByName", "indexByName", "renameByName"):
                for name in options.get(key) or {}:
                    if not GRAFANA_COLUMN.match(name):
                        found.known(file, f"{place}, {key}", name, columns, "is not in the result of the query")

    # Queries of annotations and links, and whatever else a later Grafana puts elsewhere.
    seen = sum(1 for _ in values_of(board, "expr"))
    if not queries or seen != queries:
        raise CannotCheck(f"{file}: {seen} queries, of which {queries} in panels: the others are not known to check_fields.py")

    for used in re.findall(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)", " ".join(values_of(board, "expr", "stream", "uid"))):
        name = used[0] or used[1]
        if not name.startswith("__"):
            found.known(file, "variables", name, variables, "is a variable that the dashboard does not define")


def values_of(node, *keys):
    if isinstance(node, dict):
        for key, value in node.items():
            if key in keys and isinstance(value, str):
                yield value
            else:
                yield from values_of(value, *keys)
    elif isinstance(node, list):
        for value in node:
            yield from values_of(value, *keys)


# ---------------------------------------------------------------- main

def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotCheck(f"{path}: {error}")


def words(path):
    lines = (line.strip() for line in read(path).splitlines())
    found = {line for line in lines if line and not line.startswith("#")}
    if not found:
        raise CannotCheck(f"{path}: empty")
    return found


def check(directory, members, types):
    found = Findings(members, types)
    produced = {}
    for file, stages in ((SHIPPERS[0], promtail_stages), (SHIPPERS[1], alloy_stages)):
        try:
            produced[file] = shipper(file, stages(file, read(os.path.join(directory, file))), found)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise CannotCheck(f"{file}: cannot read its stages: {error!r}")
    one, other = SHIPPERS
    for name in sorted(produced[one] ^ produced[other]):
        file = other if name in produced[one] else one
        found.wrong(file, "labels", name, "is made by the other shipper and not here")
    dashboard(DASHBOARD, read(os.path.join(directory, DASHBOARD)), produced[one] & produced[other], found)
    return found


def main():
    parser = argparse.ArgumentParser(description="Checks that every record field named under dashboards/ exists.")
    parser.add_argument("--members", required=True, metavar="FILE", help="the members of the record format, one a line")
    parser.add_argument("--event-types", metavar="FILE", help="the standard event types, one a line")
    parser.add_argument("--dir", default=os.path.dirname(os.path.abspath(__file__)), metavar="DIR", help="the directory to check")
    parser.add_argument("--list", action="store_true", help="print every name found")
    args = parser.parse_args()
    try:
        found = check(args.dir, words(args.members), words(args.event_types) if args.event_types else None)
    except CannotCheck as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return 2
    if args.list:
        for file, place, name, kind in found.names:
            print(f"{file}\t{place}\t{name}\t{kind}")
    for problem in found.problems:
        print(problem, file=sys.stderr)
    if not args.list and not found.problems:
        print(f"{len(found.names)} names checked, all known")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
