"""One classic script out of JavaScript modules."""

import re

import pytest

from lossbook.interactive.widget import WEB, bundle

MODULES = sorted(WEB.glob("*.js"))
IMPORTS = re.compile(r'^import \{([^}]*)\}\s+from "([^"]+)";', re.MULTILINE)
EXPORTS = re.compile(r"^export (?:const|function|class) (\w+)", re.MULTILINE)
DEFINITIONS = re.compile(r"^(?:const|let|function|class) (\w+)", re.MULTILINE)


def write(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")


def test_each_module_comes_once_after_those_it_imports(tmp_path):
    write(
        tmp_path,
        page='import {a}\n  from "./first.js";\nimport {b} from "./second.js";\nf(a, b);\n',
        second='import {a} from "./first.js";\nexport const b = a + 1;\n',
        first="export const a = 1;\n",
    )
    script = bundle(tmp_path / "first.js", tmp_path / "page.js")
    assert script.split("\n\n") == ["const a = 1;", "const b = a + 1;", "f(a, b);\n"]


def test_modules_that_import_each_other_are_an_error(tmp_path):
    write(
        tmp_path,
        first='import {b} from "./second.js";\nexport const a = () => b;\n',
        second='import {a} from "./first.js";\nexport const b = () => a;\n',
    )
    with pytest.raises(ValueError, match="first.js imports itself"):
        bundle(tmp_path / "first.js")


@pytest.mark.parametrize(
    "kind", ["epoch_slider", "rotating_sphere", "explorer", "sector_ring", "decision_plane"]
)
def test_a_widget_defines_each_name_once(kind):
    script = bundle(WEB / "common.js", WEB / f"{kind}.js")
    names = DEFINITIONS.findall(script)
    assert len(names) == len(set(names)) > 15
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_every_import_names_an_export_and_is_used(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// "), "the first line tells what the module is for"
    assert max(map(len, text.splitlines())) <= 100
    for names, source in IMPORTS.findall(text):
        exports = EXPORTS.findall((path.parent / source).read_text(encoding="utf-8"))
        for name in re.findall(r"\w+", names):
            assert name in exports, f"{source} does not export {name}"
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is not used"
