"""Configurations and command lines that cannot be."""

from tests.faults.case import ACCEPTED, Case

AREA = "configurations, command lines"
# Where a mistake were passed over, this ends at a stage whose inputs are missing.
SMOKE = "kc_jax.main --config=configs/eft.py:smoke --workdir={root}/run --stages=evaluate"
# Nothing is read: what follows the configuration goes wrong quickly.
NOISE = (
    "kc_jax.main --config=configs/folder.py:small --workdir={root}/run --stages=train_generalist "
    "--config.data.source=declared --config.data.synthetic=true --config.data.num_classes=6 "
    "--config.data.num_verticals=2"
)


def config(text):
    """Gives the function that writes a configuration file."""
    return lambda root: (root / "mine.py").write_text(text, encoding="utf-8")


def case(name, command, *words, **more):
    return Case(AREA, name, command, words, **more)


def mine(name, text, *words):
    return case(name, "kc_jax.main --config={root}/mine.py", *words, make=config(text))


WRITTEN = "from configs import folder\n\n\ndef get_config():\n    "

CASES = [
    case("unknown option", f"{SMOKE} --config.student.hed=FC8-FC8", "'hed'", "mean 'head'"),
    case("unknown flag", f"{SMOKE} --stagse=report", "'stagse'", "stages"),
    case("option without dashes", f"{SMOKE} config.seed=3", "'config.seed=3'", "--name=value"),
    case("no number", f"{SMOKE} --config.seed=three", "--config.seed=three", "int()"),
    case("unknown stage", f"{SMOKE} --stages=evalute", "'evalute'", "mean 'evaluate'"),
    case("stage without a name", f"{SMOKE} --stages=describe,,report", "stage ''", "Stages:"),
    case("stage to redo that is not run", f"{SMOKE} --stages=report --redo=evaluate",
         "'evaluate'", "--redo", "add it there"),
    case("unknown head", f"{SMOKE} --config.student.head=FC8-XX8", "config.student.head",
         "FC4096-SC512"),
    case("head of figures of another script", f"{SMOKE} --config.student.head=FC٨-SC٤",
         "config.student.head", "FC4096-SC512"),
    case("unknown backbone", f"{NOISE} --config.model.backbone=resnet51",
         "config.model.backbone", "resnet50"),
    case("backbone without channels",
         f"{NOISE} --config.model.backbone_options.small_conv.features='(0, 8)'",
         "config.model.backbone", "(0, 8)", "multiples of 8"),
    case("backbone option of another type",
         f"{NOISE} --config.model.backbone_options.small_conv.features=\"('wide',)\"",
         "config.model.backbone", "wide"),
    case("unknown preset", "kc_jax.main --config=configs/eft.py:smke", "'smke'", "smoke"),
    case("no such file", "kc_jax.main --config=configs/etf.py", "configs/etf.py",
         "give --config=FILE.py"),
    case("no configuration", "kc_jax.main", "--config", "must have a value"),
    case("folder as the file", "kc_jax.main --config=configs", "configs", ".py"),
    mine("file with a syntax error", "def get_config(:\n", "mine.py", "line 1"),
    mine("file with an error", "import nowhere\n", "mine.py", "nowhere"),
    mine("file without get_config", "def getconfig():\n    return {}\n", "mine.py", "get_config"),
    mine("get_config that fails", "def get_config():\n    return 1 / 0\n", "mine.py",
         "division by zero"),
    mine("get_config that gives nothing", "def get_config():\n    pass\n", "mine.py",
         "get_config", "ConfigDict"),
    mine("option of its own", f"{WRITTEN}c = folder.get_config()\n    c.colour = 'red'\n"
         "    return c\n", "config.colour", "unknown"),
    mine("option that it lacks", f"{WRITTEN}c = folder.get_config()\n    del c.data.seed\n"
         "    return c\n", "config.data.seed is missing", "add it"),
    case("study where a run is expected", "kc_jax.main --config=configs/study/recipe.py",
         "config.", "unknown"),
    case("run where a study is expected", "kc_jax.study --config=configs/eft.py:smoke",
         "the study varies nothing", "students"),
    case("study without seeds", "kc_jax.study --config={root}/mine.py", "seeds", "study",
         make=config("from configs.study import recipe\n\n\ndef get_config():\n"
                     "    c = recipe.get_config()\n    del c.seeds\n    return c\n")),
    case("infinite rate", f"{SMOKE} --config.student.optimizer.learning_rate=inf",
         "config.student.optimizer.learning_rate is inf", "finite"),
    case("rate that is no number", f"{SMOKE} --config.student.optimizer.learning_rate=nan",
         "config.student.optimizer.learning_rate is nan", "more than 0"),
    case("infinitely many epochs", f"{NOISE} --config.generalist.num_epochs=inf",
         "config.generalist.num_epochs is inf", "finite"),
    case("confidence that is no number", f"{SMOKE} --config.data.min_confidence=nan",
         "config.data.min_confidence is nan", "finite"),
    case("seed beyond 64 bits", f"{NOISE} --config.seed=99999999999999999999",
         "config.seed is 99999999999999999999", "less than"),
    case("negative seed", f"{SMOKE} --config.data.seed=-1", "config.data.seed is -1", "at least 0"),
    case("view seed beyond 64 bits", f"{NOISE} --config.data.seed=99999999999999999999",
         "config.data.seed is 99999999999999999999", "less than"),
    case("empty batches", f"{SMOKE} --config.student.batch_size=0",
         "config.student.batch_size is 0", "more than 0"),
    case("batches that devices cannot share", f"{NOISE} --config.generalist.microbatches=7",
         "batch_size of generalist", "7"),
    case("more devices than there are", f"{NOISE} --config.mesh.model=64",
         "mesh.model is 1 × 64", "mesh.data=-1"),
    case("working directory that is a file", "kc_jax.main --config=configs/eft.py:smoke "
         "--workdir={root}/run", "/run (File exists)", "--workdir=",
         make=lambda root: (root / "run").write_text("mine")),
    case("unknown kind of source", f"{SMOKE} --config.data.source=foldr",
         "config.data.source is 'foldr'", "folder"),
    case("no images", f"{NOISE} --config.data.synthetic=false", "config.data.source is 'declared'",
         "--config.data.directory"),
    case("more verticals than classes", f"{NOISE} --config.data.num_verticals=7",
         "config.data.num_verticals is 7", "config.data.num_classes"),
    case("student that is a path", f"{SMOKE} --config.student.name=../elsewhere",
         "config.student.name is '../elsewhere'", "letters, digits"),
    case("unknown sink", f"{SMOKE} --config.running.sinks=\"('tensorbord',)\"",
         "config.running.sinks has 'tensorbord'", "tensorboard"),
    case("vertical that is none", f"{NOISE.replace('generalist', 'teachers')} "
         "--config.teachers.init_from=scratch --config.running.vertical=bird",
         "config.running.vertical is 'bird'", "one of the 2 verticals"),
    case("vertical with other stages", f"{NOISE} --config.running.vertical=0",
         "config.running.vertical", "--stages=train_teachers"),
    case("coordinator without a port", f"{SMOKE} --coordinator=somewhere",
         "--coordinator is 'somewhere'", "HOST:PORT"),
    case("process that is none of them",
         f"{SMOKE} --coordinator=a:1 --num_processes=2 --process_id=2", "--process_id 2",
         "--num_processes is 2"),
    case("process without a coordinator", f"{SMOKE} --num_processes=2 --process_id=0",
         "--num_processes and --process_id", "--coordinator=HOST:PORT"),
    case("processes that are no number", f"{SMOKE} --num_processes=two", "num_processes=two",
         "int()"),
    case("unknown kind of predictions", "kc_jax.import_soft_targets "
         "--config=configs/eft.py:smoke --kind=odds", "kind", "odds", "probabilities|logits"),
    case("structure on no network", f"{NOISE.replace('train_generalist', 'learn_structure')} "
         "--config.structure.base=nobody", "students/nobody", "run the stage"),
    case("clusters in no file", f"{NOISE} --config.data.verticals={{root}}/no.csv", "no.csv",
         "config.data.verticals"),
    case("clusters of other columns", f"{NOISE} --config.data.verticals={{root}}/c.csv", "c.csv",
         "class_id, name, vertical, cluster",
         make=lambda root: (root / "c.csv").write_text("class_id;cluster\n0;0\n")),
    case("clusters with a huge cell", f"{NOISE} --config.data.verticals={{root}}/c.csv", "c.csv",
         "class_id, name, vertical, cluster", make=lambda root: (root / "c.csv").write_text(
             f"class_id,name,vertical,cluster\n0,{'x' * 200_000},v,0\n")),
    case("whole numbers for fractions", "kc_jax.main --config=configs/eft.py:smoke "
         "--stages=describe --workdir={root}/run --config.student.optimizer.learning_rate=1",
         "student", kind=ACCEPTED),
]
