"""Syntax trees of TypeScript and Ruby: parsing, and the few ways in which readers walk them. Never by recursion: files may be hostile."""

from collections.abc import Iterator

import tree_sitter_ruby
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

_WRAPPINGS = frozenset(
    {"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression", "type_assertion", "expression_statement"}
)
#: Chained calls of one expression, and wrappings of one value, at most.
_DEEP = 1_000

RUBY = Language(tree_sitter_ruby.language())
TYPESCRIPT = Language(tree_sitter_typescript.language_typescript())
TSX = Language(tree_sitter_typescript.language_tsx())


def parse(text: str, language: Language) -> Node:
    """Return the root of a text's tree; what is no syntax becomes nodes of type ERROR."""
    return Parser(language).parse(text.encode("utf-8", "replace")).root_node


def line(node: Node) -> int:
    """Return where a node begins, counted from 1."""
    return int(node.start_point[0]) + 1


def text(node: Node | None) -> str:
    """Return the source of a node; nothing for none."""
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def walk(root: Node, *, without: str = "") -> Iterator[Node]:
    """Yield a node and all below it, in the order of the source; nothing of nodes of the type `without`."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == without:
            continue
        yield node
        waiting.extend(reversed(node.named_children))


def unwrapped(node: Node | None) -> Node | None:
    """Return an expression without brackets, casts and the like around it."""
    for _ in range(_DEEP):
        if node is None or node.type not in _WRAPPINGS:
            return node
        inner = [each for each in node.named_children if each.type != "comment"]
        node = inner[-1] if node.type == "type_assertion" else inner[0] if inner else None
    return None


def arguments(call: Node) -> list[Node]:
    """Return the arguments of a call, unwrapped."""
    listed = call.child_by_field_name("arguments")
    found = (unwrapped(each) for each in listed.named_children if each.type != "comment") if listed is not None else ()
    return [each for each in found if each is not None]


def string(node: Node | None) -> str | None:
    """Return what a string literal says; None for anything else, strings with something put in among them."""
    node = unwrapped(node)
    if node is None or node.type not in {"string", "template_string"}:
        return None
    if any(each.type in {"template_substitution", "interpolation"} for each in node.named_children):
        return None
    parts = [each for each in node.named_children if each.type in {"string_fragment", "string_content", "escape_sequence"}]
    return "".join(_unescaped(text(each)) if each.type == "escape_sequence" else text(each) for each in parts)


def _unescaped(sequence: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r"}
    return plain.get(sequence[1:], sequence[1:])


def chain(node: Node | None) -> list[Node]:
    """Return the calls of `a(…).b(…).c(…)`, the innermost first; empty when there is none."""
    calls: list[Node] = []
    node = unwrapped(node)
    for _ in range(_DEEP):
        if node is None or node.type != "call_expression":
            break
        calls.append(node)
        function = unwrapped(node.child_by_field_name("function"))
        if function is None or function.type != "member_expression":
            break
        node = unwrapped(function.child_by_field_name("object"))
    return calls[::-1]


def dotted(node: Node | None) -> tuple[str, ...]:
    """Return the names of `a.b["c"]`; empty for anything else."""
    names: list[str] = []
    node = unwrapped(node)
    for _ in range(_DEEP):
        if node is None:
            return ()
        if node.type in {"identifier", "shorthand_property_identifier", "this"}:
            return (text(node), *reversed(names))
        if node.type == "member_expression":
            names.append(text(node.child_by_field_name("property")))
        elif node.type == "subscript_expression" and (name := string(node.child_by_field_name("index"))) is not None:
            names.append(name)
        else:
            return ()
        node = unwrapped(node.child_by_field_name("object"))
    return ()


def callee(call: Node) -> str:
    """Return the last name of what a call calls: `table` of `app.table(…)`."""
    names = dotted(call.child_by_field_name("function"))
    if names:
        return names[-1]
    function = unwrapped(call.child_by_field_name("function"))
    return text(function.child_by_field_name("property")) if function is not None and function.type == "member_expression" else ""


def pairs(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield keys and values of an object, `{ a, b: 1 }`; spreads and methods are left out."""
    node = unwrapped(node)
    if node is None or node.type != "object":
        return
    for each in node.named_children:
        if each.type == "shorthand_property_identifier":
            yield text(each), each
        elif each.type == "pair":
            key, value = each.child_by_field_name("key"), unwrapped(each.child_by_field_name("value"))
            name = string(key) if key is not None and key.type == "string" else text(key)
            if name and value is not None:
                yield name, value


def spreads(node: Node) -> Iterator[Node]:
    """Yield what `...x` puts into an object or a list."""
    for each in node.named_children:
        if each.type == "spread_element" and (inner := unwrapped(each.named_children[0] if each.named_children else None)) is not None:
            yield inner


def returned(node: Node | None) -> Node | None:
    """Return what a function returns at once: the body of an arrow, or its last `return`; None when it returns nothing plain."""
    node = unwrapped(node)
    if node is None or node.type not in {"arrow_function", "function_expression", "function"}:
        return None
    body = unwrapped(node.child_by_field_name("body"))
    if body is None or body.type != "statement_block":
        return body
    ends = [each for each in body.named_children if each.type == "return_statement" and each.named_children]
    return unwrapped(ends[-1].named_children[0]) if ends else None


def parameters(node: Node) -> list[Node]:
    """Return the parameters of a function, without their types."""
    single = node.child_by_field_name("parameter")
    if single is not None:
        return [single]
    listed = node.child_by_field_name("parameters")
    found = [each.child_by_field_name("pattern") or each for each in listed.named_children] if listed is not None else []
    return [each for each in found if each.type != "comment"]
