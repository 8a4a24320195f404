"""PyTorch modules: written by torch's own exporter as they run in evaluation, and read as ONNX models are.

The exporter's optimiser is left out, which would fold batch normalisations into convolutions and change what is
counted; shape arithmetic is folded here instead, and nothing that a weight is in. Weights are neither copied nor read.
"""

from __future__ import annotations

import io
import logging
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostModelError, ModelError, UsageError
from costmodel.frontends.onnx.free_dims import InputShapes, Wishes, few
from costmodel.frontends.onnx.importer import Importer
from costmodel.frontends.onnx.metadata import source_line
from costmodel.graph import Graph

if TYPE_CHECKING:
    from torch.nn import Module

_LARGEST_TEXT = 240  # characters of the exporter's reason
_LARGEST_VALUES = 1024  # elements of an integer constant, which may steer a shape
_TRAINING = "The module is in training mode; it is counted as it runs in evaluation"


def load(module: Module, inputs: Any) -> tuple[str, Graph]:
    """The name of a module's class, and the module's graph for inputs of these sizes.

    inputs: a shape, (1, 3, 224, 224); a tensor; a tuple of those, one for each argument of forward(); or a dictionary
        of them by the argument's name. Where a shape stands the argument is zeros, of the dtype of the module's
        weights and on their device; what is neither is passed as it is.
    The module is left as it is: weights, devices, and which of its parts are in training.
    Raises UsageError for no inputs and for sizes below 1, ModelError for what cannot be exported.
    """
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    name = type(module).__name__
    args, kwargs = _arguments(module, inputs, name)
    given = [*map(_described, args), *(f"{key}={_described(value)}" for key, value in kwargs.items())]
    notes = [_TRAINING] if any(part.training for part in module.modules()) else []
    _check_installed(name)
    with _in_evaluation(module), _silence():
        try:
            model = _exported(module, args, kwargs)
        except Exception as error:  # the exporter passes on whatever the module raises
            raise ModelError(_refusal(name, error, given)) from error
    if not len(model.graph):
        raise ModelError(f"{name}: forward() computes nothing from its inputs; give a module that does")
    model.graph.name = name
    try:
        return name, _graph(_without_weights(model), notes)
    except CostModelError as error:
        raise type(error)(f"{name}: {error}") from error


def _check_installed(name: str) -> None:
    try:
        import_module("onnxscript")
    except ImportError as error:
        raise UsageError(
            f"{name}: torch's exporter needs onnxscript ({error}); install it: pip install 'cnn-costmodel[torch]'"
        ) from error


def _arguments(module: Module, inputs: Any, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional arguments and arguments by name."""
    from torch import Tensor

    if inputs is None:
        raise UsageError(
            f"{name}: a module needs example inputs; give a shape, as in analyze(module, (1, 3, 224, 224)), or tensors"
        )
    if isinstance(inputs, Mapping):
        return (), {str(key): _argument(module, value, f"{name}: input {key}") for key, value in inputs.items()}
    if isinstance(inputs, Tensor) or _is_shape(inputs) or not isinstance(inputs, tuple | list):
        return (_argument(module, inputs, f"{name}: input"),), {}
    return tuple(_argument(module, value, f"{name}: input {i}") for i, value in enumerate(inputs)), {}


def _argument(module: Module, value: Any, where: str) -> Any:
    """Zeros for a shape; tuples, lists and dictionaries with such zeros inside; anything else as it is."""
    import torch

    if _is_shape(value):
        if min(value) < 1:
            raise UsageError(f"{where}: a size of {min(value)} in {tuple(value)}; sizes are whole numbers from 1")
        tensors = [*module.parameters(), *module.buffers()]
        dtype = next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32)
        return torch.zeros(tuple(value), dtype=dtype, device=tensors[0].device if tensors else None)
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return type(value)(_argument(module, one, where) for one in value)
    if type(value) is dict:
        return {key: _argument(module, one, where) for key, one in value.items()}
    return value


def _is_shape(value: object) -> bool:
    """Whether a value is a list or tuple of ints."""
    return isinstance(value, tuple | list) and bool(value) and all(type(size) is int for size in value)


def _described(value: Any) -> str:
    """An argument in a few words."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        sizes = "x".join(map(str, value.shape)) or "scalar"
        return f"{str(value.dtype).removeprefix('torch.')} {sizes}"
    return type(value).__name__


@contextmanager
def _in_evaluation(module: Module) -> Iterator[None]:
    """The module in evaluation; then each of its parts as it was."""
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing of what the exporter warns of, logs or prints; what goes wrong is raised."""
    loggers = [logging.root, *(one for name, one in logging.root.manager.loggerDict.items() if _is_exporters(name))]
    handlers = [handler for logger in loggers for handler in getattr(logger, "handlers", ())]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for handler in handlers:
            handler.addFilter(_is_of_others)
        try:
            yield
        finally:
            for handler in handlers:
                handler.removeFilter(_is_of_others)


def _is_exporters(logger: str) -> bool:
    return logger.partition(".")[0] in ("torch", "onnxscript", "onnx_ir")


def _is_of_others(record: logging.LogRecord) -> bool:
    return not _is_exporters(record.name)


def _exported(module: Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What the exporter writes, a model of onnx_ir, with its shape arithmetic folded."""
    import torch
    from onnxscript import optimizer

    if args and isinstance(args[-1], dict):
        args = (*args, {})  # the exporter takes a dictionary in the last place for arguments by name
    program = torch.onnx.export(
        module, args, kwargs=dict(kwargs), dynamo=True, verbose=False, optimize=False, external_data=False
    )
    assert program is not None
    model = program.model
    optimizer.inline(model)
    optimizer.remove_unused_nodes(model)
    optimizer.fold_constants(model, should_fold=_may_fold)
    _leave_out_zero_biases(model)
    optimizer.remove_unused_nodes(model)
    return model


def _may_fold(node: Any) -> bool | None:
    """False for what reads a weight; None leaves it to the optimiser."""
    return False if any(value is not None and _is_weight(value) for value in node.inputs) else None


def _is_weight(value: Any) -> bool:
    """Whether a value of onnx_ir is a parameter, a buffer or another constant that steers no shape."""
    if not value.is_initializer() or value.const_value is None:
        return False
    constant = value.const_value
    return bool(constant.dtype.is_floating_point() or constant.size > _LARGEST_VALUES)


def _leave_out_zero_biases(model: Any) -> None:
    """Convolutions without a bias are written with zeros, made on the spot in place of one."""
    for node in model.graph.all_nodes():
        if node.op_type == "Conv" and len(node.inputs) == 3 and node.inputs[2] is not None:
            made_by = node.inputs[2].producer()
            if made_by is not None and made_by.op_type == "Expand" and _is_zero(made_by.inputs[0]):
                node.replace_input_with(2, None)


def _is_zero(value: Any) -> bool:
    constant = None if value is None else value.const_value
    return constant is not None and constant.size == 1 and not constant.numpy().any()


def _without_weights(model: Any) -> Any:
    """The ModelProto of a model of onnx_ir: the data of its weights is said to be in a file, which nobody reads."""
    import onnx_ir

    for value in model.graph.initializers.values():
        if _is_weight(value):
            tensor = value.const_value
            shape = onnx_ir.Shape(list(map(int, tensor.shape)))
            value.const_value = onnx_ir.ExternalTensor(
                "weights", 0, tensor.nbytes, tensor.dtype, shape=shape, name=value.name
            )
    return onnx_ir.to_proto(model)


def _graph(proto: Any, notes: list[str]) -> Graph:
    importer = Importer(proto, InputShapes(proto.graph.input, Wishes()))
    for note in notes:
        importer.note(note)
    return importer.run()


def _refusal(name: str, error: BaseException, given: list[str]) -> str:
    """Why a module cannot be exported, and what to do, in one line."""
    reason = error
    while reason.__cause__ is not None:
        reason = reason.__cause__
    first = str(reason).partition("\n")[0].strip().rstrip(".") or "no reason given"
    text = "".join(c if c.isprintable() else " " for c in first)
    if len(text) > _LARGEST_TEXT:
        text = f"{text[:_LARGEST_TEXT]}..."
    trace = str(reason) if "\n  File " in str(reason) else "".join(traceback.format_tb(reason.__traceback__))
    place = source_line(trace)
    at = f", at {place}" if place else ""
    if "DataDependent" in type(reason).__name__:
        remedy = "let nothing that forward() does depend on values of tensors, or analyze the part that does not"
    elif isinstance(reason, SyntaxError):  # torch writes Python with the names of modules in it
        remedy = "name its modules with letters, digits and _ only"
    elif type(reason).__name__ == "DispatchError":
        remedy = "analyze a module without that operator, or with another in its place"
    else:
        remedy = f"forward() has to accept what was given: {few(given) or 'nothing'}"
    return f"{name}: torch cannot export the module: {type(reason).__name__}: {text}{at}; {remedy}"
