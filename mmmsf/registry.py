"""Registries of mmmsf, each a child of MMEngine's root registry of that kind.

A config names a component as ``mmmsf.Name``: nested dicts resolve by the config's default scope,
which is ``mmpretrain``, so the prefix directs MMEngine to these registries. The first lookup in
one of them imports its ``locations``, which register their components.
"""

from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODEL_WRAPPERS as ROOT_MODEL_WRAPPERS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPERS as ROOT_OPTIM_WRAPPERS
from mmengine.registry import PARAM_SCHEDULERS as ROOT_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import Registry
from mmpretrain.registry import BATCH_AUGMENTS as ROOT_BATCH_AUGMENTS

SCOPE = 'mmmsf'

MODELS = Registry('model', parent=ROOT_MODELS, scope=SCOPE, locations=['mmmsf.models'])
DATASETS = Registry(
    'dataset', parent=ROOT_DATASETS, scope=SCOPE, locations=['mmmsf.datasets', 'mmmsf.engine']
)
TRANSFORMS = Registry(
    'transform', parent=ROOT_TRANSFORMS, scope=SCOPE, locations=['mmmsf.datasets']
)
METRICS = Registry('metric', parent=ROOT_METRICS, scope=SCOPE, locations=['mmmsf.evaluation'])
DATA_SAMPLERS = Registry(
    'data sampler', parent=ROOT_DATA_SAMPLERS, scope=SCOPE, locations=['mmmsf.engine']
)
HOOKS = Registry(
    'hook', parent=ROOT_HOOKS, scope=SCOPE, locations=['mmmsf.engine', 'mmmsf.visualization']
)
LOOPS = Registry('loop', parent=ROOT_LOOPS, scope=SCOPE, locations=['mmmsf.engine'])
MODEL_WRAPPERS = Registry(
    'model_wrapper', parent=ROOT_MODEL_WRAPPERS, scope=SCOPE, locations=['mmmsf.engine']
)
OPTIM_WRAPPERS = Registry(
    'optim_wrapper', parent=ROOT_OPTIM_WRAPPERS, scope=SCOPE, locations=['mmmsf.engine']
)
PARAM_SCHEDULERS = Registry(
    'parameter scheduler', parent=ROOT_PARAM_SCHEDULERS, scope=SCOPE, locations=['mmmsf.engine']
)
BATCH_AUGMENTS = Registry(
    'batch augment', parent=ROOT_BATCH_AUGMENTS, scope=SCOPE, locations=['mmmsf.models']
)
