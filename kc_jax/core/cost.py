"""Parameters and multiply-adds of a function, layer by layer, without running it.

The total of either count is the sum of its values, or the single row of
`layer_table(multiply_adds, parameters, depth=0)`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
from jax.extend import core as jax_core

Path = tuple[str, ...]


def multiply_adds(
    function: Callable[..., Any], *args: Any, root: str | None = None
) -> dict[str, int]:
    """Counts the multiply-adds of a function's matrix products and convolutions.

    The function is traced, never run, so abstract arguments of any size cost nothing. Counted are
    `dot_general` and `conv_general_dilated`, wherever they stand: inside `jit`, `remat`, custom
    derivatives, `scan` (times its length), `cond` (its dearest branch) and `shard_map` (summed
    over the devices). A product with a padded or a dilation zero counts like any other, so a
    strided convolution's gradient is an upper bound. Every other operation counts nothing.

    Args:
      function: a function of arrays, such as `functools.partial(model.apply, train=False)`.
      *args: its arguments, pytrees of arrays or of `jax.ShapeDtypeStruct`.
      root: the outermost name to leave off every path; Flax names it after the class of the module
        applied. None leaves off the outermost name where all counted operations share one.

    Returns:
      Multiply-adds per module path, such as `{"backbone/convolution_0": 786_432}`, in the
      order of execution. Operations outside every named scope have the path `""`.

    Raises:
      ValueError: a multiply-add stands in a `while_loop` or a Pallas kernel, whose number of
        repetitions the trace does not tell.
    """
    counts = _count(jax.make_jaxpr(function)(*args))
    if root is None:
        outermost = {path[:1] for path in counts if path}
        root = "".join(outermost.pop()) if len(outermost) == 1 else None
    merged: dict[str, int] = {}
    for path, count in counts.items():
        key = "/".join(path[1:] if path[:1] == (root,) else path)
        merged[key] = merged.get(key, 0) + count
    return merged


def parameters(params: Mapping[str, Any]) -> dict[str, int]:
    """Counts the entries of a parameter tree, module by module.

    Args:
      params: nested mappings with arrays or `jax.ShapeDtypeStruct` at the leaves, such as the
        `"params"` collection of a Flax module.

    Returns:
      Entries per module path: `{"Dense_0": 6}` for `{"Dense_0": {"kernel": [2, 2], "bias": [2]}}`.
      Leaves at the top of the tree have the path `""`.
    """
    counts: dict[str, int] = {}
    for keys, leaf in jax.tree_util.tree_leaves_with_path(params):
        names = jax.tree_util.keystr(keys, simple=True, separator="/")
        module = names.rpartition("/")[0]
        counts[module] = counts.get(module, 0) + math.prod(leaf.shape)
    return counts


def layer_table(
    multiply_adds: Mapping[str, int], parameters: Mapping[str, int], depth: int | None = None
) -> list[dict[str, Any]]:
    """Merges the two counts into one row per layer.

    Args:
      multiply_adds: multiply-adds per module path, from `multiply_adds`.
      parameters: parameters per module path, from `parameters`.
      depth: number of leading path components to keep; layers that then agree are summed. 0 gives
        the total as one row, None keeps every path whole.

    Returns:
      Rows `{"layer": str, "params": int, "multiply_adds": int}`: layers with multiply-adds in the
      order of execution, then the others in the order of the parameter tree.

    Raises:
      ValueError: `depth` is negative.
    """
    if depth is not None and depth < 0:
        raise ValueError(f"depth must be None or at least 0, got {depth}")
    rows: dict[str, dict[str, Any]] = {}
    for column, counts in (("multiply_adds", multiply_adds), ("params", parameters)):
        for path, count in counts.items():
            layer = "/".join(path.split("/")[:depth])
            row = rows.setdefault(layer, {"layer": layer, "params": 0, "multiply_adds": 0})
            row[column] += count
    return list(rows.values())


def _count(jaxpr: Any) -> dict[Path, int]:
    """Counts a (closed) jaxpr's multiply-adds per path, in the order of execution."""
    counts: dict[Path, int] = {}
    for equation in jaxpr.eqns:
        scopes = _scopes(equation)
        for inner, count in _count_equation(equation).items():
            path = _module_path(scopes + inner)
            counts[path] = counts.get(path, 0) + count
    return counts


def _count_equation(equation: Any) -> dict[Path, int]:
    """Counts one equation's multiply-adds per path below the equation itself."""
    primitive, options = equation.primitive.name, equation.params
    if primitive == "dot_general":
        return {(): _dot_general(equation)}
    if primitive == "conv_general_dilated":
        return {(): _convolution(equation)}
    inner = [_count(jaxpr) for jaxpr in _inner_jaxprs(options)]
    if primitive == "cond":
        return max(inner, key=lambda counts: sum(counts.values()))
    if primitive in ("while", "pallas_call") and any(inner):
        raise ValueError(
            f"cannot tell how often the multiply-adds inside {primitive!r} run; "
            "use lax.scan, or lax.fori_loop with constant bounds"
        )
    times = 1
    if primitive == "scan":
        times = options["length"]
    elif primitive == "shard_map":
        times = math.prod(options["mesh"].shape[axis] for axis in options["newly_manual_axes"])
    total: dict[Path, int] = {}
    for counts in inner:
        for path, count in counts.items():
            total[path] = total.get(path, 0) + times * count
    return total


def _dot_general(equation: Any) -> int:
    """Multiply-adds of a matrix product: entries of the output times the contracted sizes."""
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = equation.invars[0].aval.shape
    return math.prod(equation.outvars[0].aval.shape) * math.prod(shape[axis] for axis in contracted)


def _convolution(equation: Any) -> int:
    """Multiply-adds of a convolution: entries of the output times those of one output filter."""
    kernel = equation.invars[1].aval.shape
    filters = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
    return math.prod(equation.outvars[0].aval.shape) * (math.prod(kernel) // max(filters, 1))


def _inner_jaxprs(options: Mapping[str, Any]) -> Iterator[Any]:
    """Yields the jaxprs among an equation's options, such as the branches of a `cond`."""
    for option in options.values():
        for value in option if isinstance(option, tuple | list) else (option,):
            if isinstance(value, jax_core.ClosedJaxpr | jax_core.Jaxpr):
                yield value


def _scopes(equation: Any) -> Path:
    """Returns the names of an equation's scopes, without the transformations around them.

    The backward pass of `remat` names its scopes twice, `transpose(jvp(net))/jvp(net)`, so scopes
    after a transformation that begin with all those before it stand in their place.
    """
    before: Path = ()
    scopes: Path = ()
    for entry in equation.source_info.name_stack.stack:
        if type(entry).__name__ == "Scope":
            scopes += tuple(entry.name.split("/"))
        else:
            before, scopes = _join(before, scopes), ()
    return _join(before, scopes)


def _join(before: Path, scopes: Path) -> Path:
    """Joins scopes to those before a transformation, unless they repeat them."""
    return scopes if scopes[: len(before)] == before else before + scopes


def _module_path(scopes: Path) -> Path:
    """Turns scopes into a module path: a method's scope `module.method` becomes its module's."""
    path: list[str] = []
    for scope in scopes:
        module, is_method, _ = scope.partition(".")
        if not (is_method and path and path[-1] == module):
            path.append(module)
    return tuple(path)
