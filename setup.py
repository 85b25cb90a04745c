"""The wheel carries app/ as gpt1viz/_app, so that `gpt1viz app` works without a checkout. All else: pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["gpt1viz", "gpt1viz.*"]), "gpt1viz._app", "gpt1viz._app.views"],
    package_dir={"gpt1viz._app": "app"},
)
