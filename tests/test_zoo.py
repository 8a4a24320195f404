"""How networks are named, how their options are read, and what every network's counts obey."""

from __future__ import annotations

import ast
import inspect
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
from costmodel.zoo.options import Option

NAMES = [network.name for network in zoo.networks()]
FIELDS = tuple(field.name for field in fields(Cost))


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
    assert graph == zoo.load(name)
    assert graph.name == f"zoo:{name}"
    assert {node.counting for node in graph.nodes} == {Counting.COUNTED}


@pytest.mark.parametrize("name", NAMES)
def test_a_network_documents_itself(name):
    network = next(network for network in zoo.networks() if network.name == name)
    assert network.summary.endswith(".")
    assert len(network.summary) <= 110
    assert [option.name for option in network.options][:3] == ["batch", "resolution", "classes"]


def test_networks_come_in_order():
    assert sorted(NAMES) == NAMES
    assert {"shufflenet_v1", "shufflenet_v2", "mobilenet_v1", "mobilenet_v2", "resnet50"} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_shared_options(name):
    graph = zoo.load(f"zoo:{name},resolution=97x131,batch=3,classes=10")
    assert input_shape(graph) == (3, 3, 97, 131)
    assert output_shape(graph) == (3, 10)


def test_the_name_of_a_graph_is_its_shortest_reference():
    graph = zoo.load(" resnet50 , stride_in_1x1=1,resolution=480x640, batch=1,classes=1000")
    assert graph.name == "zoo:resnet50,resolution=480x640,stride_in_1x1=true"
    assert zoo.load(graph.name).cost == graph.cost


def test_options_from_python_equal_options_as_text():
    text = zoo.load("zoo:shufflenet_v2,width=0.5,se=true,resolution=160x192,batch=2")
    python = zoo.build("shufflenet_v2", width=0.5, se=True, resolution=(160, 192), batch=np.int64(2))
    assert text.cost == python.cost
    assert text.name == python.name


def test_a_reference_and_python_values_together():
    graph = zoo.load("zoo:resnet18,resolution=97", batch=3, classes=10)
    assert graph.name == "zoo:resnet18,batch=3,resolution=97,classes=10"
    with pytest.raises(UsageError, match="option 'batch' is given twice"):
        zoo.load("zoo:resnet18,batch=1", batch=3)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("zoo:resnt18", ("zoo:resnt18", "did you mean 'resnet18'?")),
        ("shufflenet", ("zoo:shufflenet", "did you mean 'shufflenet_v", "mobilenet_v1")),
        ("", ("no network is named; there are: ", "resnet18")),
        ("zoo:qqqqqq", ("zoo:qqqqqq: no network has this name; there are: mobilenet_v1, ",)),
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
        ("squeezenet1_1,resolution=2", ("zoo:squeezenet1_1,resolution=2", "'features.0'", "not fit")),
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
    """A registry of its own."""
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


def test_every_family_is_imported():
    folder = Path(inspect.getfile(registry)).parent
    text = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    families = {module for module, source in text.items() if "\n@network(" in source}
    imports = [node for node in ast.parse(text["__init__"]).body if isinstance(node, ast.ImportFrom)]
    assert families <= {alias.name for node in imports for alias in node.names}


# -- laws of counting


def taken(cost: Cost, index: int) -> tuple[int, ...]:
    """The counts of one design of a population."""
    values = (getattr(cost, field) for field in FIELDS)
    return tuple(int(v.values[index if len(v) > 1 else 0]) if isinstance(v, Column) else v for v in values)


@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from(NAMES),
    st.integers(1, 50),
    st.tuples(st.integers(33, 300), st.integers(33, 300)),
    st.integers(1, 2000),
)
def test_counts_are_linear_in_batch(name, batch, resolution, classes):
    one, two, many = (zoo.build(name, batch=n, resolution=resolution, classes=classes).cost for n in (1, 2, batch))
    for field in ("mult_adds", "element_ops", "output_elements"):
        assert getattr(many, field) == batch * getattr(one, field)
    for field in ("params", "weight_elements"):
        assert getattr(many, field) == getattr(one, field)
    for field in ("input_elements", "bytes"):  # weights and limits of a clip are read once a run
        first, second, last = (getattr(cost, field) for cost in (one, two, many))
        assert last - first == (batch - 1) * (second - first)


@settings(deadline=None, max_examples=10)
@given(
    st.sampled_from(NAMES),
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(33, 300), st.integers(33, 300), st.integers(1, 2000)),
        min_size=2,
        max_size=4,
    ),
)
def test_a_population_counts_as_its_members(name, designs):
    batch, height, width, classes = np.array(designs).T
    population = zoo.build(name, batch=batch, resolution=(height, width), classes=classes).cost
    for index, (n, h, w, c) in enumerate(designs):
        alone = zoo.build(name, batch=n, resolution=(h, w), classes=c).cost
        assert taken(population, index) == taken(alone, 0)


@pytest.mark.parametrize("name", ["shufflenet_v1", "mobilenet_v2", "squeezenet1_1", "resnet18"])
def test_a_formula_counts_as_its_numbers(name):
    n, h, w, k = (symbol(letter) for letter in "nhwk")
    formula = zoo.build(name, batch=n, resolution=(h, w), classes=k).cost
    for numbers in ((1, 224, 224, 1000), (3, 97, 131, 10)):
        alone = zoo.build(name, batch=numbers[0], resolution=numbers[1:3], classes=numbers[3]).cost
        at = dict(zip((n, h, w, k), numbers, strict=True))
        for field in ("mult_adds", "params", "memory_access"):
            assert getattr(formula, field).subs(at) == getattr(alone, field)
