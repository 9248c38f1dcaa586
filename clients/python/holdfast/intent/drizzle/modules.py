"""Files of TypeScript: in comes a text, out come its constants and imports. Names are followed across files, nothing is run."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from tree_sitter import Node

from holdfast.intent.files import Source
from holdfast.intent.trees import TSX, TYPESCRIPT, pairs, parse, string, text, unwrapped, walk

_ENDINGS = ("", ".ts", ".tsx", ".mts", ".cts", ".js", "/index.ts", "/index.js")


@dataclass(slots=True, kw_only=True)
class Module:
    """One file."""

    path: str
    root: Node
    #: Constants of the file -> their values.
    constants: dict[str, Node] = field(default_factory=dict)
    #: Local name -> file as written, and the name there; "*" for the whole of it.
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Files of the same source by path.
    others: Mapping[str, "Module"] = field(default_factory=dict)
    _homes: dict[str, "Module | None"] = field(default_factory=dict)

    def original(self, name: str) -> str:
        """Return the name that an import gives another one: `pgTable` for `import { pgTable as table }`."""
        there = self.imports.get(name, ("", name))[1]
        return name if there == "*" else there

    def imported_from(self, name: str) -> "Module | None":
        """Return the file of the source that a name is imported from; None when it is from elsewhere."""
        if name not in self.imports:
            return None
        if name not in self._homes:
            self._homes[name] = self._find(self.imports[name][0])
        return self._homes[name]

    def _find(self, target: str) -> "Module | None":
        """Return the file of the source that an import means."""
        base = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), target)) if target.startswith(".") else target
        stem = base.removesuffix(".js")
        found = next((self.others[path] for each in (base, stem) for end in _ENDINGS if (path := each + end) in self.others), None)
        if found is not None or target.startswith("."):
            return found
        # `@/db/schema` and the like: the path that ends so, if there is one only.
        tail = "/" + target.partition("/")[2] if "/" in target else ""
        fitting = [
            module for path, module in self.others.items() if tail and any(("/" + path).endswith(tail + end) for end in _ENDINGS[1:])
        ]
        return fitting[0] if len(fitting) == 1 else None

    def imported_constant(self, name: str) -> Node | None:
        """Return the value of a constant that is imported under a name."""
        module = self.imported_from(name)
        return module.constants.get(self.imports[name][1]) if module is not None else None

    def value_of(self, names: tuple[str, ...], modules: Mapping[str, "Module"]) -> Node | None:
        """Return the value of `name`, `namespace.name` or `object.property`; None when it is not to be found."""
        if not names:
            return None
        value = self.constants.get(names[0]) or self.imported_constant(names[0])
        if value is None and len(names) == 1 and names[0] in self.imports:
            holders = [
                module.constants[self.original(names[0])] for module in modules.values() if self.original(names[0]) in module.constants
            ]
            return holders[0] if len(holders) == 1 else None
        if value is None and len(names) > 1 and self.imports.get(names[0], ("", ""))[1] == "*":
            module = self.imported_from(names[0])
            return module.constants.get(names[1]) if module is not None else None
        for name in names[1:]:
            value = dict(pairs(value)).get(name) if value is not None else None
        return value


def read_modules(sources: list[Source]) -> dict[str, Module]:
    """Return the files of a source by path, each knowing the others."""
    modules = {source.path: _module(source) for source in sources}
    for module in modules.values():
        module.others = modules
    return modules


def _module(source: Source) -> Module:
    path = source.path.replace("\\", "/")
    root = parse(source.text, TSX if path.endswith((".tsx", ".jsx")) else TYPESCRIPT)
    module = Module(path=path, root=root)
    for node in walk(root):
        if node.type == "variable_declarator":
            name, value = node.child_by_field_name("name"), unwrapped(node.child_by_field_name("value"))
            if name is not None and name.type == "identifier" and value is not None:
                module.constants.setdefault(text(name), value)
        elif node.type == "import_statement":
            _read_import(module, node)
    return module


def _read_import(module: Module, node: Node) -> None:
    target = string(node.child_by_field_name("source")) or ""
    for each in walk(node):
        if each.type == "import_specifier":
            name, alias = each.child_by_field_name("name"), each.child_by_field_name("alias")
            module.imports[text(alias or name)] = (target, text(name))
        elif each.type == "namespace_import":
            module.imports[text(each.named_children[0])] = (target, "*")
