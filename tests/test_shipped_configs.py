import importlib

import pytest

from configs import (
    eft,
    folder,
    generations,
    generations_cifar100,
    generations_imagenet,
    openimage,
    self_informed,
    tfds,
)
from configs.study import (
    conditions,
    controls,
    figure5,
    lead,
    paper,
    recipe,
    starts,
    strength,
    table1,
    table2,
    table3,
    table4,
    table6,
    tolerance,
    tuning,
    vertical_heads,
    verticals,
)
from configs.study import self_informed as study_of_structures
from kc_jax import config, study
from kc_jax.core import label_space
from kc_jax.data import preparation, sources
from kc_jax.errors import UserError
from kc_jax.stages import describe
from kc_jax.stages import generations as generations_stage

PRESETS = ("embedded", "embedded_full", "glyph100k", "smoke", "paper")
MEBI = 2**20


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_build(preset):
    assert config.build(eft.get_config(preset)).name == preset


@pytest.mark.parametrize("presets, preset, name", [
    (folder, "photographs", "folder"), (folder, "small", "folder_small"),
    *((tfds, name, name) for name in (
        "cifar100", "i_naturalist2018", "stanford_online_products", "omniglot", "open_images_v4")),
])
def test_presets_for_images_of_yours_build(presets, preset, name):
    built = config.build(presets.get_config(preset))
    assert built.name == name and built.data.source in preparation.READERS


@pytest.mark.parametrize("preset, name", [
    ("glyphs", "generations"), ("photographs", "generations_photographs"),
    ("smoke", "generations_smoke"),
])
def test_generations_learn_as_their_baseline_does(preset, name):
    built = config.build(generations.get_config(preset))
    assert built.name == name and built.generalist.loss == built.generations.loss == "softmax"
    for option in ("head", "num_epochs", "batch_size", "optimizer"):
        assert getattr(built.generalist, option) == getattr(built.generations, option)


@pytest.mark.parametrize("preset, name", [
    ("glyphs", "self_informed"), ("photographs", "self_informed_photographs"),
    ("smoke", "self_informed_smoke"), ("paper", "self_informed_paper"),
])
def test_self_informed_presets_hold_images_out_and_export_what_they_grow(preset, name):
    built = config.build(self_informed.get_config(preset))
    assert built.name == name and built.data.hold_out
    assert built.student.name == built.structure.name


TABLES = [table1, table2, table3, table4, recipe, figure5, table6]


@pytest.mark.parametrize("plan", [
    *(
        table.get_config(data)
        for table in (*TABLES, controls, starts, lead, strength) for data in paper.DATA
    ),
    *(
        conditions.get_config(condition + data)
        for condition in conditions.CONDITIONS for data in ("", ",photographs")
    ),
    *map(tolerance.get_config, ("glyphs", "photographs")),
    verticals.get_config(),
    *(
        heads.get_config(data)
        for heads in (study_of_structures, vertical_heads) for data in ("glyphs", "photographs")
    ),
], ids=lambda plan: plan.title)
def test_studies_build_and_their_claims_name_what_they_compare(plan):
    methods = set()
    kind, variants = study.kind_of(plan)
    for setting in study.settings_of(plan):
        names = {"generalist", *variants, *["specialists"] * (kind.part == "student")}
        methods |= {f"{setting}/{name}" if setting else name for name in names}
        for name in variants:
            built = study.cell_config(plan, 0, name, setting)
            assert getattr(built, kind.part).name == name
    assert plan.claims
    for _, better, other, *_ in plan.claims:
        assert {better, other} <= methods


def test_tables_of_the_same_data_have_networks_of_the_same_name_in_common():
    seen = {}
    for table in (*TABLES[:-1], controls, starts, lead):
        plan = table.get_config()
        assert plan.name == "paper_glyphs"
        for name in plan.students:
            built = study.cell_config(plan, 0, name)
            assert seen.setdefault(name, built) == built
    assert len(seen) == 27


@pytest.mark.parametrize("data", ["glyphs", "glyphs_full"])
def test_the_wide_bottleneck_has_as_many_parameters_as_the_own_ones(data):
    cells = [study.cell_config(controls.get_config(data), 0, name) for name in ("sc", "wide")]
    space = sources.load_label_space(cells[0].data)
    own, wide = (describe.describe_network(cell, cell.student, space)["params"] for cell in cells)
    assert wide == pytest.approx(own, rel=0.002)  # A unit is 0.4 % at most.


def test_where_labels_are_few_all_see_as_many_images():
    plan = conditions.get_config("few")
    few = study.cell_config(plan, 0, "sc_on", "few")
    soft = study.cell_config(plan, 0, "sc_half_d_on", "few")
    assert few.data.labelled_share == 0.2
    for network in (few.generalist, few.teachers, few.student):
        assert network.num_epochs * few.data.labelled_share == soft.student.num_epochs == 20
    with pytest.raises(ValueError, match="'fewer' is unknown; expected one of wrong, half"):
        conditions.get_config("fewer")


def test_table_6_has_bottlenecks_of_one_width():
    built = study.cell_config(table6.get_config(), 0, "sc_d")
    assert built.generalist.head == built.teachers.head == "FC256-FC32"
    assert built.student.head == "FC256-SC32"
    with pytest.raises(ValueError, match="'letters' are unknown; expected one of glyphs"):
        table6.get_config("letters")


@pytest.mark.parametrize("options, classes, published", [
    # He et al. (2016) and Huang et al. (2017) count for 10 classes, torchvision for 1,000.
    (generations_cifar100.get_config("resnet20"), 10, 0.27e6),
    (generations_cifar100.get_config("resnet110"), 10, 1.73e6),
    (generations_cifar100.get_config("densenet100"), 10, 0.77e6),
    (generations_cifar100.get_config("densenet190"), 10, 25.6e6),
    (generations_imagenet.get_config(), 1000, 11.69e6),
])
def test_generations_networks_have_the_published_parameters(options, classes, published):
    options.data.update({
        "source": "declared", "label_space": "", "num_classes": classes, "num_verticals": 1,
    })
    built = config.build(options)
    assert built.generalist.optimizer == built.generations.optimizer
    assert built.generations.optimizer.kind == "sgd"
    space = sources.load_label_space(built.data)
    described = describe.describe_network(built, built.generations, space)
    assert described["params"] == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize("options, epochs, batch, rate, dropped_at, views", [
    *((generations_cifar100.get_config(f"resnet{depth}"), 164, 128, 0.1, (82, 123), "small_photo")
      for depth in generations_cifar100.RESNETS),
    *((generations_cifar100.get_config(f"densenet{depth}"), 300, 64, 0.1, (150, 225), "small_photo")
      for depth in generations_cifar100.DENSENETS),
    (generations_imagenet.get_config(), 100, 1024, 0.6, (30, 60, 90), "jittered_photo"),
], ids=lambda value: value.name if hasattr(value, "name") else "")
def test_generations_are_set_as_in_the_paper(options, epochs, batch, rate, dropped_at, views):
    built = config.build(options)
    for network in (built.generalist, built.generations):
        optimizer = network.optimizer
        assert (network.num_epochs, network.batch_size) == (epochs, batch)
        assert (optimizer.kind, optimizer.schedule) == ("sgd", "steps")
        assert (optimizer.learning_rate, optimizer.warmup) == (rate, 0)
        assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 1e-4)
        assert tuple(epochs * share for share in optimizer.milestones) == dropped_at
        assert set(vars(optimizer.multipliers).values()) == {1.0}
    assert built.data.augmentation == views
    assert built.data.test_augmentation == f"{views}_centre"
    assert built.data.image_size == (224 if views == "jittered_photo" else 32)
    assert generations_stage.name_of(built.generations) == "D(0.6, 0.6)"
    assert built.generations.tolerance.num_similar == 5
    assert (built.generations.num_generations, built.generations.temperature) == (5, 1.0)
    assert built.generations.teacher_signal == "computed"


def test_cifar100_is_described_without_its_images():
    built = config.build(generations_cifar100.get_config("resnet20"))
    space = sources.load_label_space(built.data)
    assert space.sizes == (5,) * 20 and len(set(space.names)) == 100


def test_imagenet_is_described_without_its_images():
    space = sources.load_label_space(config.build(generations_imagenet.get_config()).data)
    assert space.sizes == (1000,) and space.names[0] == "n01440764"  # The tench comes first.


@pytest.mark.parametrize("depth", generations_cifar100.RESNETS)
def test_every_depth_of_the_paper_has_a_preset(depth):
    built = config.build(generations_cifar100.get_config(f"resnet{depth}"))
    assert built.model.backbone_options["cifar_resnet"]["depth"] == depth


@pytest.mark.parametrize("preset", ["glyphs", "photographs"])
def test_the_study_of_generations_is_of_the_papers_processes(preset):
    plan = importlib.import_module("configs.study.generations").get_config(preset)
    names = {
        generations_stage.name_of(study.cell_config(plan, 0, process).generations)
        for process in plan.processes
    }
    assert names == {"D(1.0, 0.0)", "D(1.0, 0.5)", "D(0.6, 0.5)", "D(0.6, 0.6)"}
    for _, better, other, metric in plan.claims:
        assert {better, other} <= set(plan.processes)
        assert metric in ("patriarch", "students", "together")


@pytest.mark.parametrize("data", paper.DATA)
def test_settings_are_chosen_on_the_validation_part_with_one_budget(data):
    plan = tuning.get_config(data)
    assert plan.base.data.judged_on == "validation"
    methods = [name.rpartition("_rate")[0] for name in plan.students]
    assert {methods.count(name) for name in methods} == {len(tuning.RATES)}
    for name in plan.students:
        assert study.cell_config(plan, 0, name).student.name == name


@pytest.mark.parametrize("data, sizes", [("glyphs", (51,) * 20), ("photographs", (10, 9, 9, 9, 9))])
def test_the_controls_wide_bottleneck_costs_what_own_ones_do(data, sizes):
    plan = controls.get_config(data)
    built = {name: study.cell_config(plan, 0, name) for name in ("sc", "wide", "longer")}
    space = label_space.from_sizes(sizes)
    own, wide = (
        describe.describe_network(built[name], built[name].student, space)["params"]
        for name in ("sc", "wide")
    )
    assert wide == pytest.approx(own, rel=0.002)
    assert built["longer"].student.num_epochs == 2 * built["longer"].generalist.num_epochs


@pytest.mark.parametrize("head,millions", [
    ("FC4096-FC512", 98), ("FC4096-SC512", 135), ("SC512-SC512", 155),
    ("FC4096-SC(512,128)", 127), ("FC4096-SC(512,256)", 117), ("FC4096-SC(512,384)", 108),
])
def test_parameters_agree_with_the_papers_tables_2_and_3(head, millions):
    options = eft.get_config("paper")
    options.student.head = head
    built = config.build(options)
    space = sources.load_label_space(built.data)
    described = describe.describe_network(built, built.student, space)
    assert described["params"] / MEBI == pytest.approx(millions, abs=1.5)


@pytest.mark.parametrize("preset", [eft.get_config("paper"), openimage.get_config()])
def test_the_papers_settings_are_the_papers(preset):
    built = config.build(preset)
    for network in (built.generalist, built.teachers, built.student):
        optimizer = network.optimizer
        assert (optimizer.learning_rate, optimizer.schedule) == (0.001, "constant")
        assert set(vars(optimizer.multipliers).values()) == {1.0}
        assert (network.batch_size, network.num_epochs) == (64, 5.0)
        assert network.init_from == "scratch"
    assert built.teachers.label_smearing and not built.student.label_smearing
    assert built.soft_targets.top_k == 100 and built.student.distill_weight == 1.0
    paced = built.student.self_paced
    assert (paced.level, paced.initial, paced.scale) == ("vertical", "sqrt_size", 1.0)


@pytest.mark.parametrize("preset", [eft.get_config("paper"), openimage.get_config()])
def test_without_data_the_paper_says_what_to_provide(preset):
    with pytest.raises(UserError) as raised:
        sources.open_source(config.build(preset).data, "train")
    for needed in ("--config.data.source=folder", "--config.data.directory", "root/<vertical>"):
        assert needed in str(raised.value)
