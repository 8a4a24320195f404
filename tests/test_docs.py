"""Every block of the docs does what it says, page by page (doc_reader.py).

test_docs_calibrate.py has the pages that fit platforms, the README among them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_blocks import PAGES, blocks, calibrates, page_name, read, spans
from doc_commands import mentions
from doc_reader import Reader, compares, goes_through

from costmodel.ops import registry

WITH_BLOCKS = [page for page in PAGES if blocks(page)]
WITH_MINUTES = [page for page in WITH_BLOCKS if any(block.takes_minutes for block in blocks(page))]


@pytest.mark.parametrize("page", [page for page in WITH_BLOCKS if not calibrates(page)], ids=page_name)
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    goes_through(blocks(page), tmp_path, capfd)


@pytest.mark.thorough
@pytest.mark.parametrize("page", WITH_MINUTES, ids=page_name)
def test_every_block_of_the_page_runs_with_those_that_take_minutes(
    page: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    goes_through(blocks(page), tmp_path, capfd, patient=True)


def test_every_command_that_a_sentence_speaks_of_is_there() -> None:
    spoken = [(span, page_name(page)) for page in PAGES for span in spans(page) if span.startswith("costmodel ")]
    assert len(spoken) > 50
    for command, page in spoken:
        mentions(command, page)
    for command in ("costmodel chek", "costmodel check --fail", "costmodel check -o=x --fail-on-slow 3%"):
        with pytest.raises(AssertionError, match="page: "):
            mentions(command, "page")


# -- the reader itself


def told(text: str, folder: Path, capfd: pytest.CaptureFixture[str], patient: bool = False) -> Reader:
    return goes_through(read(text, "page.md"), folder, capfd, patient=patient)


ZOO = "```console\n$ costmodel zoo blazeface\n{}```\n"
WRONG = {
    "another output": (ZOO.format("blazeface\n"), "page.md:1: costmodel zoo blazeface"),
    "a part of the output": (ZOO.format("...\nblazeface\n"), "page.md:1: costmodel zoo blazeface"),
    "an option that there is not": ("```sh\ncostmodel zoo --lots\n```", "zoo --lots: status 2: .*--lots"),
    "such an option of what is not run": (
        "<!-- not run: why -->\n```sh\ncostmodel zoo --lots\n```",
        "--lots: not under",
    ),
    "such a verb of what takes minutes": ("<!-- minutes -->\n```sh\ncostmodel zoos\n```", "zoos: no such verb"),
    "a value of another form": ("<!-- minutes -->\n```sh\ncostmodel analyze a.onnx --batch x\n```", "x: not under"),
    "no platform to verify on": (
        "```sh\ncostmodel build d.json --verify torch -p abacus\n```",
        "abacus: no",
    ),
    "no network to time": ("```sh\ncostmodel measure --backend torch -o a.csv zoo:gone\n```", "zoo:gone"),
    "a budget exceeded": (
        "```sh\ncostmodel analyze model.onnx --budget snapdragon810=1ms\n```",
        "status 1: .*exceeded",
    ),
    "a status that is not": ("```sh\ncostmodel zoo  # exit status 1\n```", "zoo: status 0"),
    "a status that is not, said above": ("<!-- exit status 1 -->\n" + ZOO.format("...\n"), "blazeface: status 0"),
    "a program that fails": ("```sh\nls nowhere && true\n```", "ls nowhere && true: status 2: .*nowhere"),
    "no such extra": ("```sh\npython -m pip install '.[gold]'\n```", "gold"),
    "Python that raises": ("```python\n1 / 0\n```", "division"),
    "Python that is none": ("<!-- not run: why -->\n```python\n1 +\n```", "invalid syntax"),
    "a name of another page": ("```python\nanalysis\n```", "'analysis' is not defined"),
    "what Python does not print": ("```python\nprint(2)\n```\n\n```text\n3\n```", "page.md:5"),
    "what Python does not answer": ("```pycon\n>>> 1 + 1\n3\n```", "Expected:\n *3\nGot:\n *2"),
    "JSON that is none": ("```json\n{'a': 1}\n```", "double quotes"),
    "a profile that is none": ('```json\n{"schema": "costmodel.platform/1"}\n```', "docs.json"),
    "a setting that there is not": ("```toml\n[tool.costmodel]\ncolour = 1\n```", "colour"),
    "a waiver without a reason": ('```toml\n[[waiver]]\nguideline = "G1"\nplace = "*"\n```', "reason"),
    "a row that calibrate refuses": ("```csv\nnetwork,latency_ms\nzoo:resnet18,fast\n```", "'fast'"),
    "a time of no kernel": ("```csv\nnetwork,batch,kernel,latency_ms\nzoo:resnet18,1,conv1,x\n```", "latency_ms"),
    "a kernel of no operator": ("```csv\nnetwork,batch,kernel,latency_ms\nzoo:resnet18,1,convolution1,2\n```", ""),
    "a query of another table": ("```sql\nSELECT colour FROM slice\n```", "colour"),
    "a language that nobody reads": ("```cobol\n```", "'cobol' is no language"),
    "no language": ("```\nmake\n```", "page.md:1: a block needs a language"),
    "a sample away from its sh": (
        "```sh\ntrue\n```\nSo:\n\n```\nthis\n```",
        "page.md:6: a block needs a language",
    ),
    "a block without an end": ("```sh\ntrue", "page.md:1: a block that nothing closes"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_block_is_told(text: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((Exception, pytest.fail.Exception), match=f"(?s){message}"):
        told(text, tmp_path, capfd)


def test_what_is_marked_is_not_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    block = "```sh\ntouch {0}\n```\n```python\nopen('{0}', 'w')\n```\n"
    told(block.replace("```python", "<!-- not run: why -->\n```python").format("here"), tmp_path, capfd)
    assert (tmp_path / "here").exists()
    told(f"<!-- minutes -->\n{block.partition('```python')[0]}".format("late"), tmp_path, capfd)
    assert not (tmp_path / "late").exists()
    told(f"<!-- minutes -->\n{block.partition('```python')[0]}".format("late"), tmp_path, capfd, patient=True)
    assert (tmp_path / "late").exists()


def test_a_page_that_registers_in_this_process_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other tests would find its operator."""
    monkeypatch.setattr("costmodel.ops.registry._OPERATORS", dict(registry._OPERATORS))
    text = """```python
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator


@operator("Mine", domain="my.ops", example=example("N C"))
def mine(x: TensorSpec, /) -> Result:
    return Result((x,))
```
"""
    with pytest.raises(AssertionError, match="registers in this process"):
        told(text, tmp_path, capfd)
    assert told(f"<!-- not run: why -->\n{text}", tmp_path, capfd)


def test_blocks_of_a_page_know_what_was_before_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Files, names of Python, modules; another page begins with nothing."""
    text = """```sh
costmodel analyze \\
  models/net.onnx -p none -o out.txt  # a file of yours
grep -c Conv out.txt > count
```

- of a list:

  ```python
  # mine.py, beside it
  from pathlib import Path

  count = int(Path("count").read_text())
  ```

```pycon
>>> from mine import count as again
>>> again == count > 5
True
```
"""
    assert told(text, tmp_path, capfd).names["count"] > 5


def test_seconds_and_lines_left_out_compare_equal() -> None:
    compares("found in 1.7 s\n...\nend\n", "found in 20 s\na\nb\nend\n", "", "here")
    compares("found\nwarned\n", "found\n", "warned\n", "here")
    for shown in ("found in 1.7 s\nend\n", "found in 1.7 ms\n...\nend\n", "...\nend\nmore\n"):
        with pytest.raises(pytest.fail.Exception, match="here: shown"):
            compares(shown, "found in 20 s\na\nb\nend\n", "", "here")
