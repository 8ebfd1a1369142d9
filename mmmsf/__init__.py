"""mmmsf: multi-label image classification on MMPretrain backbones.

Importing the package checks the OpenMMLab frameworks below it and registers
every component under the scope ``mmmsf``; a config gets both with
``custom_imports=dict(imports=['mmmsf'], allow_failed_imports=False)``.
"""

from .utils.framework import check_framework
from .version import __version__

check_framework()

from . import apis, datasets, engine, evaluation, models, visualization  # noqa: E402
from .apis import MultiLabelInferencer  # noqa: E402
from .utils.checkpoint import register_safe_globals  # noqa: E402
from .utils.weights import register_safe_loaders  # noqa: E402

register_safe_globals()
register_safe_loaders()

__all__ = [
    'MultiLabelInferencer', '__version__', 'apis', 'datasets', 'engine', 'evaluation', 'models',
    'visualization',
]
