"""What a backend's class takes and needs, read from its source: importing it takes seconds."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_BACKENDS = Path(__file__).parents[1] / "backends"
_DIALECTS = _BACKENDS / "onnx" / "dialects"

#: Arguments that every backend is given and no declaration can set.
_GIVEN = frozenset({"self", "task", "source", "device", "handler_dir"})


#: Between two sentences of a docstring.
_SENTENCE = re.compile(r"(?<=\.) (?=[A-Z`])")


class Described(NamedTuple):
    """An argument: its type, its default, and what its class says of it."""

    type: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class BackendClass:
    """A backend's class by its file and name."""

    file: Path
    name: str

    @classmethod
    def of(cls, place: str) -> BackendClass:
        """The class of `transformers.text.chat:Chat`, as the table of backends has it."""
        module, _, name = place.partition(":")
        return cls(_BACKENDS.joinpath(*module.split(".")).with_suffix(".py"), name)

    def parameters(self) -> frozenset[str] | None:
        """What a declaration's `parameters` may name; None when that is not fixed."""
        names, is_all = self._taken()
        return names if is_all else None

    def named(self) -> frozenset[str]:
        """What it takes by name itself, where it hands on others, too."""
        return self._taken()[0]

    def _taken(self) -> tuple[frozenset[str], bool]:
        """The arguments by name, and whether they are all."""
        names: set[str] = set()
        is_all = False
        for found in self._lineage():
            init = _method(found, "__init__")
            if init is None:
                continue
            arguments = init.args
            names.update(a.arg for a in [*arguments.posonlyargs, *arguments.args])
            names.update(a.arg for a in arguments.kwonlyargs)
            is_all = arguments.kwarg is None
            if arguments.kwarg is None or not _hands_on(init, arguments.kwarg.arg):
                break
        return frozenset(names) - _GIVEN, is_all

    def annotations(self) -> dict[str, set[str]]:
        """What the arguments of a declaration's `parameters` are annotated as, the adapters' too
        where they are handed on to one.
        """
        found: dict[str, set[str]] = {}
        is_of_graphs = _DIALECTS.parent in self.file.parents
        files = sorted(_DIALECTS.glob("*.py")) if is_of_graphs else ()
        adapters = (node for file in files for node in _tree(file).body)
        for node in [*self._lineage(), *adapters]:
            init = _method(node, "__init__") if isinstance(node, ast.ClassDef) else None
            for argument in init.args.kwonlyargs if init else ():
                if argument.annotation is not None:
                    found.setdefault(argument.arg, set()).add(ast.unparse(argument.annotation))
        return found

    def described(self) -> dict[str, Described]:
        """What it takes by name itself, each as the class that takes it says."""
        found: dict[str, Described] = {}
        for made in self._lineage():
            init = _method(made, "__init__")
            if init is None:
                continue
            spoken = " ".join((ast.get_docstring(made) or "").split())
            for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
                if argument.arg in self.named() and argument.arg not in found:
                    found[argument.arg] = Described(
                        ast.unparse(argument.annotation) if argument.annotation else "",
                        ast.unparse(default) if default is not None else "",
                        " ".join(s for s in _SENTENCE.split(spoken) if f"`{argument.arg}`" in s),
                    )
        return found

    def auto_class(self) -> str:
        """The auto class of transformers that loads its models; "" when it depends on them."""
        for found in self._lineage():
            if "self.auto_class = " in ast.unparse(found):
                return ""
            for line in found.body:
                match line:
                    case ast.Assign([ast.Name("auto_class")], ast.Constant(str(named))):
                        return named
        return ""

    def tasks(self) -> frozenset[str]:
        """The tasks that an adapter answers: its own or its nearest base's."""
        for found in self._lineage():
            told = {
                node.target.id: node.value
                for node in found.body
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            }
            match told.get("tasks"), told.get("readings"):
                case ast.Tuple(names), _:
                    return frozenset(map(ast.literal_eval, names))
                case ast.Call(), ast.Dict(names):  # tuple(readings)
                    return frozenset(ast.literal_eval(name) for name in names if name)
        return frozenset()

    def packages(self) -> frozenset[str]:
        """Packages that are imported with its module."""
        return frozenset(name for file in _files(self.file) for name in _imports(_tree(file))[0])

    def _lineage(self) -> Iterator[ast.ClassDef]:
        """The class and its bases, as far as they are among the backends, in Python's order."""
        walked = list(_walked(self.file, self.name))
        for place, found in enumerate(walked):
            if found not in walked[place + 1 :]:  # what several come from is behind them all
                yield found


def _walked(file: Path, name: str) -> Iterator[ast.ClassDef]:
    """A class, then each of its bases with all of theirs."""
    found = _class(_tree(file), name)
    if found is not None:
        yield found
        for base in found.bases:
            if isinstance(base, ast.Name):
                yield from _walked(file, base.id)
    elif (named := _imports(_tree(file))[1].get(name)) is not None:
        yield from _walked(_file_of(file, *named), name)


@functools.cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _class(tree: ast.Module, name: str) -> ast.ClassDef | None:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return next((node for node in classes if node.name == name), None)


def _method(found: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    methods = (node for node in found.body if isinstance(node, ast.FunctionDef))
    return next((node for node in methods if node.name == name), None)


def _hands_on(init: ast.FunctionDef, name: str) -> bool:
    """Whether `super().__init__(..., **name)` is called."""
    return any(
        isinstance(call, ast.Call)
        and ast.unparse(call.func) == "super().__init__"
        and any(k.arg is None and ast.unparse(k.value) == name for k in call.keywords)
        for call in ast.walk(init)
    )


#: Where a name was imported from: how many dots, the module.
_Origin = tuple[int, str]


def _imports(tree: ast.Module) -> tuple[list[str], dict[str, _Origin]]:
    """The packages that a module imports when it is imported, and the names from its own one."""
    packages: list[str] = []
    names: dict[str, _Origin] = {}
    for node in tree.body:
        match node:
            case ast.Import(aliases):
                packages += [alias.name.partition(".")[0] for alias in aliases]
            case ast.ImportFrom(str(module), _, 0):
                packages.append(module.partition(".")[0])
            case ast.ImportFrom(module, aliases, int(level)):
                names |= {alias.asname or alias.name: (level, module or "") for alias in aliases}
    return packages, names


def _file_of(file: Path, level: int, module: str) -> Path:
    folder = file.parents[level - 1]
    path = folder.joinpath(*module.split(".")) if module else folder
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def _files(file: Path) -> tuple[Path, ...]:
    """A backend's file and those of the backends that it imports, however far."""
    seen, left = {file: None}, [file]
    while left:
        at = left.pop()
        for name, (level, module) in _imports(_tree(at))[1].items():
            inner = _file_of(at, level, f"{module}.{name}" if module else name)
            found = inner if inner.exists() else _file_of(at, level, module)
            if found.is_relative_to(_BACKENDS) and found.exists() and found not in seen:
                seen[found] = None
                left.append(found)
    return tuple(seen)
