import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kc_jax import config, sharding
from kc_jax.train.optimizer import make_optimizer, make_schedule
from tests.reference.adagrad import adagrad
from tests.reference.sgd import sgd
from tests.train import tiny

PARTS = ("backbone", "trunk", "bottleneck", "logits", "pace", "auxiliary")
STEPS = 6
START = np.linspace(-1.0, 1.0, 6, dtype=np.float32).reshape(3, 2)


def options(multipliers=None, **changes):
    return tiny.optimizer_options(**{
        "learning_rate": 0.5,
        "multipliers": config.Multipliers(**{**dict.fromkeys(PARTS, 1.0), **(multipliers or {})}),
        **changes,
    })


def gradients(seed=0):
    rng = np.random.default_rng(seed)
    return [{part: {"kernel": rng.normal(size=(3, 2)).astype(np.float32)} for part in PARTS}
            for _ in range(STEPS)]


def run(opts, parts=PARTS):
    """Gives each part's kernel after every step, from `START`."""
    tx, schedule = make_optimizer(opts), make_schedule(opts, STEPS)
    params = {part: {"kernel": jnp.asarray(START)} for part in parts}
    state, update, history = tx.init(params), jax.jit(tx.update), []
    for step, tree in enumerate(gradients()):
        updates, state = update(
            {part: tree[part] for part in parts}, state, params,
            learning_rate=np.float32(schedule(step)),
        )
        params = optax.apply_updates(params, updates)
        history.append(params)
    return {part: [step[part]["kernel"] for step in history] for part in parts}


def expected(part, rates, initial_accumulator=0.1):
    return adagrad(START, gradients_of(part), rates, initial_accumulator)


def gradients_of(part):
    return [tree[part]["kernel"].astype(np.float64) for tree in gradients()]


@pytest.mark.parametrize("initial_accumulator", [0.0, 0.1, 2.0])
def test_equals_adagrad(initial_accumulator):
    history = run(options(initial_accumulator=initial_accumulator))
    for part in PARTS:
        params = expected(part, [0.5] * STEPS, initial_accumulator)
        np.testing.assert_allclose(history[part], params, rtol=1e-5, atol=1e-6)


def test_the_rate_follows_the_schedule():
    history = run(options(schedule="linear"))
    rates = [0.5 * (1 - step / STEPS) for step in range(STEPS)]
    np.testing.assert_allclose(history["trunk"], expected("trunk", rates), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.5, 4.0, 100.0])
def test_gradients_beyond_the_norm_are_scaled_down_together(clip_norm):
    history = run(options(clip_norm=clip_norm, weight_decay=0.1, **SGD))
    trees = gradients()
    norms = [np.sqrt(sum(np.sum(tree[part]["kernel"] ** 2.0) for part in PARTS)) for tree in trees]
    assert clip_norm == 100.0 or max(norms) > clip_norm
    scales = np.minimum(1.0, clip_norm / np.array(norms))
    for part in PARTS:
        clipped = [g * scale for g, scale in zip(gradients_of(part), scales, strict=True)]
        params = sgd(START, clipped, SGD_RATES, 0.9, 0.1)
        np.testing.assert_allclose(history[part], params, rtol=1e-5, atol=1e-6)


def test_multipliers_scale_their_part_alone():
    history = run(options({"backbone": 0.1, "pace": 3.0}))
    for part, factor in {"backbone": 0.1, "pace": 3.0, "trunk": 1.0, "logits": 1.0}.items():
        params = expected(part, [0.5 * factor] * STEPS)
        np.testing.assert_allclose(history[part], params, rtol=1e-5, atol=1e-6)


def test_several_auxiliary_heads_share_a_multiplier():
    tx = make_optimizer(options({"auxiliary": 0.1}))
    params = {
        name: {"kernel": jnp.asarray(START)} for name in ("auxiliary_0", "auxiliary_1_logits")
    }
    slope = gradients_of("auxiliary")[0].astype(np.float32)
    updates, _ = tx.update(
        jax.tree.map(lambda _: slope, params), tx.init(params), params,
        learning_rate=np.float32(0.5),
    )
    wanted = expected("auxiliary", [0.05] * STEPS)[0]
    for part in params:
        found = START + updates[part]["kernel"]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_zero_freezes():
    history = run(options({"trunk": 0.0}))
    np.testing.assert_array_equal(history["trunk"], [START] * STEPS)
    assert np.all(history["logits"][-1] != START)


SGD = {"kind": "sgd", "schedule": "steps", "milestones": (0.3, 0.6), "learning_rate": 0.2}
SGD_RATES = [0.2, 0.2, 0.02, 0.02, 0.002, 0.002]
SGD_CASES = pytest.mark.parametrize("momentum, weight_decay", [(0.9, 0.1), (0.9, 0.0), (0.0, 0.1)])


@SGD_CASES
def test_equals_sgd_while_the_rate_changes(momentum, weight_decay):
    multiplied = {"backbone": 0.1, "trunk": 0.0}
    history = run(options(multiplied, momentum=momentum, weight_decay=weight_decay, **SGD))
    for part in PARTS:
        rates = np.multiply(SGD_RATES, multiplied.get(part, 1.0))
        params = sgd(START, gradients_of(part), rates, momentum, weight_decay)
        np.testing.assert_allclose(history[part], params, rtol=1e-5, atol=1e-6)


@SGD_CASES
def test_equals_torchs_sgd(momentum, weight_decay):
    torch = pytest.importorskip("torch")
    history = run(options(momentum=momentum, weight_decay=weight_decay, **SGD))
    param = torch.nn.Parameter(torch.tensor(START))
    peer = torch.optim.SGD(
        [param], lr=1.0, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0
    )
    for gradient, rate, ours in zip(
        gradients_of("trunk"), SGD_RATES, history["trunk"], strict=True
    ):
        peer.param_groups[0]["lr"] = rate
        param.grad = torch.tensor(gradient, dtype=torch.float32)
        peer.step()
        np.testing.assert_allclose(ours, param.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_decay_is_added_to_adagrads_gradients_too():
    history = run(options(weight_decay=0.1))
    first = gradients_of("trunk")[0] + 0.1 * START
    np.testing.assert_allclose(
        history["trunk"][0], adagrad(START, [first], [0.5], 0.1)[0], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "kind, leaf", [("adagrad", "[0][0].sum_of_squares"), ("sgd", "[0][0].trace")]
)
def test_checkpoints_know_the_state_by_these_names(kind, leaf):
    state = make_optimizer(options(kind=kind)).init({"trunk": {"kernel": jnp.asarray(START)}})
    leaves = jax.tree_util.tree_leaves_with_path(state)
    assert [jax.tree_util.keystr(path) for path, _ in leaves] == [f"{leaf}['trunk']['kernel']"]


@pytest.mark.parametrize("kind", ["adagrad", "sgd"])
def test_the_state_lies_where_its_parameters_do(kind):
    mesh = sharding.make_abstract_mesh(2, 4)
    params = {
        "backbone": {"kernel": np.zeros((4, 4), np.float32)},
        "trunk": {"shared": {"kernel": np.zeros((3, 8), np.float32)}},
        "logits": {"vertical_0": {"kernel": np.zeros((4, 3), np.float32)}},
    }
    state = make_optimizer(options(kind=kind)).init(params)
    given, wanted = (sharding.head_shardings(mesh, tree) for tree in (state, params))
    assert jax.tree.leaves(given) == jax.tree.leaves(wanted)
    assert len({str(where.spec) for where in jax.tree.leaves(wanted)}) == 3


def test_networks_without_a_pace():
    history = run(options({"pace": 5.0}), parts=PARTS[:-1])
    params = expected("logits", [0.5] * STEPS)
    np.testing.assert_allclose(history["logits"], params, rtol=1e-5, atol=1e-6)


# The rate at the start, at the middle of the decay, at its end and beyond it.
DECAYS = {
    "constant": (1, 1, 1, 1), "linear": (1, 0.5, 0, 0), "cosine": (1, 0.5, 0, 0),
    "steps": (1, 0.1, 0.01, 0.01),
}


@pytest.mark.parametrize("schedule", DECAYS)
@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_schedules(schedule, warmup):
    rate = make_schedule(options(schedule=schedule, warmup=warmup, milestones=(0.5, 0.75)), 100)
    given = [rate(round(step)) for step in (100 * warmup, 50 * (1 + warmup), 100, 150)]
    np.testing.assert_allclose(given, 0.5 * np.array(DECAYS[schedule]), rtol=1e-5, atol=1e-7)


def test_cosine_and_linear_differ():
    rates = [make_schedule(options(schedule=s), 100)(25) for s in ("linear", "cosine")]
    np.testing.assert_allclose(rates, [0.375, 0.25 * (1 + np.sqrt(0.5))], rtol=1e-5)


@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_steps_count_from_the_start_of_the_training(warmup):
    options_ = options(schedule="steps", milestones=(0.3, 0.6, 0.9), warmup=warmup)
    rate = make_schedule(options_, 1000)
    given = [rate(step) for step in (299, 300, 599, 600, 899, 900, 999)]
    np.testing.assert_allclose(given, [0.5, 5e-2, 5e-2, 5e-3, 5e-3, 5e-4, 5e-4], rtol=1e-12)


def test_warm_up_is_linear():
    rate = make_schedule(options(warmup=0.2), 100)
    given = [rate(step) for step in (0, 5, 10, 20)]
    np.testing.assert_allclose(given, [0, 0.125, 0.25, 0.5], rtol=1e-5)


@pytest.mark.parametrize("schedule", DECAYS)
def test_trainings_of_one_step(schedule):
    assert make_schedule(options(schedule=schedule, milestones=(0.5,)), 1)(0) == 0.5


def test_the_rate_is_computed_on_the_host():
    assert type(make_schedule(options(schedule="cosine", warmup=0.2), 100)(25)) is float
