"""How networks are named, how their options are read, and what every network's counts obey."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import zoo
from costmodel.columns import Column
from costmodel.cost import Cost
from costmodel.dims import symbol
from costmodel.errors import UsageError
from costmodel.graph import Counting, Graph
from costmodel.zoo import registry
from costmodel.zoo.families import FAMILIES, MODULES
from costmodel.zoo.options import Option

NETWORKS = {network.name: network for network in zoo.networks()}
NAMES = list(NETWORKS)
FIELDS = tuple(field.name for field in fields(Cost))


# For laws that take time: of each family one network or two.
_MEMBERS = defaultdict(list)
for _name in NAMES:
    _MEMBERS[MODULES[_name]].append(_name)
FIRST = sorted(names[0] for names in _MEMBERS.values())
SAMPLE = sorted({*FIRST, *(names[len(names) // 2] for names in _MEMBERS.values())})


def sizes(name: str, *steps: int) -> tuple[int, ...]:
    """Sides that the network takes: so many steps up from the smallest."""
    network = NETWORKS[name]
    return tuple(network.smallest + step * network.multiple for step in steps)


def with_classes(name: str, classes: object) -> dict[str, object]:
    """The option, for a network that has it."""
    return {"classes": classes} if any(option.name == "classes" for option in NETWORKS[name].options) else {}


def input_shape(graph: Graph) -> tuple[int, ...]:
    shape = graph.tensors[graph.inputs[0]].shape
    assert shape is not None
    return shape


def output_shape(graph: Graph) -> tuple[int, ...]:
    shape = graph.tensors[graph.outputs[0]].shape
    assert shape is not None
    return shape


# -- names and options


@pytest.mark.parametrize("name", NAMES)
def test_a_network_loads_by_name_with_and_without_prefix(name):
    graph = zoo.load(f"zoo:{name}")
    assert graph.name == f"zoo:{name}"
    assert {node.counting for node in graph.nodes} == {Counting.COUNTED}
    if name in SAMPLE:
        assert graph == zoo.load(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_documents_itself(name):
    network = NETWORKS[name]
    options = [option.name for option in network.options]
    assert network.summary.endswith(".")
    assert len(network.summary) <= 110
    assert options[:2] == ["batch", "resolution"]
    own = set(options) - {"batch", "resolution", "classes"}
    assert {option for option in own if re.search(rf"\b{option}\b", network.description)} == own
    if network.task == "classification":
        assert options[2] == "classes"


def test_families_have_titles_of_one_line():
    titles = {NETWORKS[name].family for name in NAMES}
    assert len(titles) == len(FAMILIES)
    assert all(len(title) <= 110 for title in titles)
    assert not any("ayers " in title for title in titles)  # how they are named is said below


def test_networks_come_in_order():
    assert sorted(NAMES) == NAMES
    assert {"shufflenet_v1", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2", "resnet50"} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shared_options(name):
    """At the smallest images that a network takes."""
    height, width = sizes(name, 0, 1)
    graph = zoo.build(name, resolution=(height, width), batch=3, **with_classes(name, 10))
    n, _, *sides = input_shape(graph)
    assert (n, *sides) == (3, height, width)
    if NETWORKS[name].task == "classification":
        assert output_shape(graph) == (3, 10)
        assert len(graph.outputs) == 1


@pytest.mark.parametrize("name", [name for name in NAMES if NETWORKS[name].smallest > 1])
def test_nothing_smaller_than_the_smallest_fits(name, monkeypatch):
    smallest, multiple = NETWORKS[name].smallest, NETWORKS[name].multiple
    message = f"{name},resolution={smallest - 1}: resolution is {smallest - 1}; each side is at least {smallest}"
    with pytest.raises(UsageError, match=message):
        zoo.build(name, resolution=smallest - 1)
    monkeypatch.setattr(registry, "_fits", lambda *_: True)
    with pytest.raises(UsageError, match="node '"):  # and that is so because the graph cannot be built
        zoo.build(name, resolution=smallest - 1 if multiple == 1 else smallest + 1)


def test_sides_may_have_to_be_multiples():
    for resolution in (100, (64, 100), np.array([64, 100])):
        with pytest.raises(UsageError, match="each side is at least 32 and a multiple of 32"):
            zoo.build("mobilenet_yolo", resolution=resolution)
    assert zoo.build("mobilenet_yolo", resolution=(64, np.array([64, 96]))).cost.mult_adds.values.tolist()


def test_the_name_of_a_graph_is_its_shortest_reference():
    graph = zoo.load(" resnet50 , stride_in_1x1=1,resolution=480x640, batch=1,classes=1000")
    assert graph.name == "zoo:resnet50,resolution=480x640,stride_in_1x1=true"
    assert zoo.load(graph.name).cost == graph.cost


def test_options_from_python_equal_options_as_text():
    text = zoo.load("zoo:shufflenet_v2,width=0.5,se=true,resolution=160x192,batch=2")
    python = zoo.build("shufflenet_v2", width=0.5, se=True, resolution=(160, 192), batch=np.int64(2))
    assert text.cost == python.cost
    assert text.name == python.name


@pytest.mark.parametrize("options", [{}, {"width": 0.5, "batch": 8}, {"width": "1.0"}, {"resolution": (96, 64)}])
def test_a_reference_is_known_without_building(options):
    assert zoo.reference("shufflenet_v2", **options) == zoo.build("shufflenet_v2", **options).name


def test_a_reference_and_python_values_together():
    graph = zoo.load("zoo:resnet18,resolution=97", batch=3, classes=10)
    assert graph.name == "zoo:resnet18,batch=3,resolution=97,classes=10"
    with pytest.raises(UsageError, match="option 'batch' is given twice"):
        zoo.load("zoo:resnet18,batch=1", batch=3)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("zoo:resnt18", ("zoo:resnt18", "did you mean 'resnet18' or 'resnet", "? `costmodel zoo` lists all")),
        ("shufflenet", ("zoo:shufflenet", "did you mean 'shufflenet_v", "`costmodel zoo` lists all")),
        ("", ("zoo:NAME: no network is named; `costmodel zoo` lists all",)),
        ("zoo:qqqqqq", ("zoo:qqqqqq: no network has this name; `costmodel zoo` lists all",)),
        ("zoo:resnet18,", ("zoo:resnet18,", "key=value")),
        ("zoo:resnet18,batch", ("'batch'", "key=value")),
        ("zoo:resnet18,batch=1,batch=2", ("'batch'", "twice")),
        ("zoo:resnet18,=3", ("no option ''", "batch, resolution, classes")),
        ("shufflenet_v2,widht=1", ("'widht'", "did you mean 'width'?", "width, se, residual")),
        ("zoo:shufflenet_v2,width=0.7", ("width is 0.7", "0.5, 1.0, 1.5, 2.0")),
        ("zoo:shufflenet_v1,groups=5", ("groups is 5", "1, 2, 3, 4, 8")),
        ("zoo:shufflenet_v1,groups=0", ("groups is 0", "at least 1")),
        ("zoo:mobilenet_v1,width=1e9", ("width is 1e9", "above 0, at most 1000")),
        ("zoo:mobilenet_v1,width=nan", ("width is nan", "above 0")),
        ("zoo:mobilenet_v1,width=-1", ("width is -1", "above 0")),
        ("zoo:mobilenet_v1,width=wide", ("width is wide", "above 0")),
        ("zoo:shufflenet_v2,se=yes", ("se is yes", "true, false, 1 or 0")),
        ("zoo:resnet18,batch=-1", ("batch is -1", "at least 1")),
        ("zoo:resnet18,batch=2.5", ("batch is 2.5", "at least 1")),
        ("zoo:resnet18,batch=٣", ("batch is ٣", "at least 1")),
        ("zoo:resnet18,classes=0", ("classes is 0", "at least 1")),
        ("zoo:resnet18,resolution=0", ("resolution is 0", "480x640")),
        ("zoo:resnet18,resolution=224x", ("resolution is 224x", "480x640")),
        ("zoo:resnet18,resolution=1x2x3", ("resolution is 1x2x3", "480x640")),
        ("squeezenet1_1,resolution=2", ("zoo:squeezenet1_1,resolution=2", "resolution is 2", "at least 17")),
        ("alexnet,groups=2,resolution=63", ("zoo:alexnet,resolution=63,groups=2", "'features.12'", "not fit")),
    ],
)
def test_bad_references_are_one_line_with_the_remedy(reference, parts):
    with pytest.raises(UsageError) as caught:
        zoo.load(reference)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_bad_value_is_never_repeated_in_full():
    for reference in ("a" * 10**5, "resnet18,batch=" + "9" * 10**5, "resnet18," + "k" * 10**5 + "=1"):
        with pytest.raises(UsageError) as caught:
            zoo.load(reference)
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "options",
    [
        {"batch": True},
        {"batch": 1.0},
        {"batch": None},
        {"batch": np.array([4, 0])},
        {"batch": np.array([1.5])},
        {"resolution": (224,)},
        {"resolution": (224, -1)},
        {"resolution": np.zeros((2, 2), int)},
        {"project_first": 2},
        {"project_first": None},
    ],
)
def test_bad_python_values(options):
    with pytest.raises(UsageError, match=f"zoo:resnet18: {next(iter(options))} is "):
        zoo.build("resnet18", **options)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_text_gives_a_network_or_a_usage_error(name, key, value):
    for reference in (name, f"squeezenet1_1,{key}={value}", f"squeezenet1_1,head_padding={value}"):
        with suppress(UsageError):
            zoo.load(reference)


def test_absurd_sizes_are_exact_and_instant():
    graph = zoo.load("zoo:resnet18,batch=999999999999999999")
    assert graph.cost.mult_adds == 999999999999999999 * zoo.load("resnet18").cost.mult_adds


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 1000, exclude_min=True), st.sampled_from((1, 2, 3, 4, 8)))
def test_every_width_builds(width, groups):
    zoo.build("mobilenet_v1", width=width)
    zoo.build("mobilenet_v2", width=width)
    zoo.build("shufflenet_v1", width=width, groups=groups)


def test_a_choice_is_one_of_its_texts():
    option = Option("act", 'Literal["relu6", "swish"]', "relu6")
    assert option.parse("swish", "zoo:x") == "swish"
    with pytest.raises(UsageError, match="zoo:x: act is gelu; it takes one of relu6, swish"):
        option.parse("gelu", "zoo:x")


# -- registering


@pytest.fixture
def scratch(monkeypatch):
    """A registry of its own; all families are loaded already."""
    monkeypatch.setattr(registry, "_NETWORKS", dict(registry._NETWORKS))


@pytest.mark.usefixtures("scratch")
def test_a_name_is_registered_once():
    both = r"'resnet18' is registered in .*resnet\.py:\d+ and in .*test_zoo\.py:\d+"
    with pytest.raises(ValueError, match=both):

        @zoo.network("resnet18")
        def again(g, x):
            return x


@pytest.mark.usefixtures("scratch")
def test_channels_of_the_input_may_be_an_option():
    @zoo.network("one_block", resolution=(9, 7), channels="cin")
    def one_block(g, x, *, cin: int = 5):
        """One block."""
        return g.conv(x, 2 * cin)

    assert input_shape(zoo.load("one_block")) == (1, 5, 9, 7)
    assert input_shape(zoo.load("one_block,cin=6,resolution=4")) == (1, 6, 4, 4)


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize(("source", "why"), [("d: dict = 0", "is a dict"), ("d: int", "has no default")])
def test_an_option_needs_a_kind_and_a_default(source, why):
    namespace: dict[str, object] = {}
    exec(f"def broken(g, x, *, {source}): return x", namespace)
    with pytest.raises(ValueError, match=why):
        zoo.network("broken")(namespace["broken"])


# -- loading


def test_the_table_of_families_is_true():
    """Every module with a network is in it, with the networks that it registers."""
    folder = Path(inspect.getfile(registry)).parent
    written = {path.stem for path in folder.glob("*.py") if "network(" in path.read_text(encoding="utf-8")}
    assert written - {"registry", "__init__"} == set(FAMILIES)
    assert sorted(FAMILIES) == list(FAMILIES)
    homes = {name: network.function.__module__ for name, network in NETWORKS.items()}
    assert homes == {name: f"costmodel.zoo.{module}" for name, module in MODULES.items()}


def test_the_docs_have_every_family_and_the_number_of_networks():
    root = Path(__file__).parents[1]
    page = (root / "docs" / "zoo.md").read_text(encoding="utf-8").partition("## Table 8")[0]
    assert re.findall(r"^\| (\w+) \|", page, flags=re.MULTILINE) == list(FAMILIES)
    assert f"{len(NAMES)} networks of the built-in zoo" in (root / "README.md").read_text(encoding="utf-8")


def printed_by(code: str) -> list[str]:
    """What a fresh interpreter prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    result: list[str] = json.loads(done.stdout)
    return result


def test_a_network_loads_its_own_family_only():
    code = "import json, sys\nfrom costmodel import zoo\nzoo.load('shufflenet_v2')\nprint(json.dumps([*sys.modules]))"
    modules = {name.removeprefix("costmodel.zoo.") for name in printed_by(code)}
    assert modules & set(FAMILIES) == {"shufflenet_v2"}


OWN = """
import json
from costmodel import zoo
from costmodel.zoo.families import MODULES

@zoo.network("mine")
def mine(g, x):
    return g.relu(x)

try:
    zoo.network("vgg11")(mine)
except ValueError as error:
    taken = str(error)
del MODULES["vgg13"]
names = [network.name for network in zoo.networks()]
print(json.dumps([zoo.load("mine").name, taken, zoo.load("vgg13").name, "mine" in names, len(names) - len(MODULES)]))
"""


def test_networks_that_the_table_does_not_know():
    """A user's own, also under the name of one that is not loaded yet; and one that is missing by mistake."""
    own, taken, missing, listed, more = printed_by(OWN)
    assert (own, missing, listed, more) == ("zoo:mine", "zoo:vgg13", True, 2)
    assert "'vgg11' is registered in " in taken
    assert "vgg.py" in taken


# -- laws of counting


def taken(cost: Cost, index: int) -> tuple[int, ...]:
    """The counts of one design of a population."""
    values = (getattr(cost, field) for field in FIELDS)
    return tuple(int(v.values[index if len(v) > 1 else 0]) if isinstance(v, Column) else v for v in values)


@pytest.mark.parametrize("name", SAMPLE)
def test_counts_are_linear_in_batch(name):
    resolution = sizes(name, 1, 2)
    one, two, many = (zoo.build(name, batch=n, resolution=resolution).cost for n in (1, 2, 7))
    for field in ("mult_adds", "element_ops", "output_elements"):
        assert getattr(many, field) == 7 * getattr(one, field)
    for field in ("params", "weight_elements"):
        assert getattr(many, field) == getattr(one, field)
    for field in ("input_elements", "bytes"):  # weights and limits of a clip are read once a run
        first, second, last = (getattr(cost, field) for cost in (one, two, many))
        assert last - first == 6 * (second - first)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_population_counts_as_its_members(name):
    """Two designs of one network: other batch, sides and classes."""
    batch, classes = (2, 5), (10, 7)
    height, width = sizes(name, 0, 3), sizes(name, 2, 1)
    resolution = (np.array(height), np.array(width))
    population = zoo.build(
        name, batch=np.array(batch), resolution=resolution, **with_classes(name, np.array(classes))
    ).cost
    for index, n in enumerate(batch):
        sides = (height[index], width[index])
        alone = zoo.build(name, batch=n, resolution=sides, **with_classes(name, classes[index])).cost
        assert taken(population, index) == taken(alone, 0)


# Its fourth pooling makes the height and width longer formulas than a dim may be.
TOO_LONG = {"squeezenet_ssd"}


@pytest.mark.parametrize("name", sorted({*FIRST, "resnet18"} - TOO_LONG))
def test_a_formula_counts_as_its_numbers(name):
    n, h, w, k = (symbol(letter) for letter in "nhwk")
    formula = zoo.build(name, batch=n, resolution=(h, w), **with_classes(name, k)).cost
    height, width = sizes(name, 5, 2)
    alone = zoo.build(name, batch=3, resolution=(height, width), **with_classes(name, 10)).cost
    at = {n: 3, h: height, w: width, k: 10}
    for field in ("mult_adds", "params", "memory_access"):
        value = getattr(formula, field)
        assert (value if isinstance(value, int) else value.subs(at)) == getattr(alone, field)


@pytest.mark.parametrize("name", sorted(TOO_LONG))
def test_a_formula_that_is_too_long_says_so(name):
    with pytest.raises(UsageError, match="a size is too long an expression of free dims"):
        zoo.build(name, resolution=(symbol("h"), symbol("w")))
