"""The same image and checkpoint: tools/test.py, the inferencer and the exported model agree."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmmsf.apis import MultiLabelInferencer, load_model
from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.evaluation import Predictions

from .helpers.small_checkpoint import CLASSES, small_config, write_checkpoint
from .tools.test_tune_thresholds import run

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

from mmmsf.deploy.export import export_onnx
from mmmsf.deploy.onnx_classifier import OnnxClassifier

from .deploy.test_onnx_classifier import KINDS, write_images

ATOL = 1e-4


@pytest.fixture(scope='module')
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Scores (N, K) of the images ``KINDS`` by every way to get them."""
    folder = tmp_path_factory.mktemp('agreement')
    write_images(folder)
    (folder / 'list.csv').write_text(
        'path,labels\n'
        + ''.join(f'{name},{CLASSES[i % len(CLASSES)]}\n' for i, name in enumerate(KINDS))
    )
    cfg = small_config()
    cfg.test_dataloader.dataset.update(
        ann_file='list.csv', data_root=str(folder), metainfo=dict(classes=CLASSES), test_mode=True
    )
    cfg.merge_from_dict(
        dict(
            test_cfg=dict(),
            test_evaluator=dict(type='mmmsf.MultiLabelMetric'),
            custom_imports=dict(imports=['mmmsf'], allow_failed_imports=False),
        )
    )
    cfg.dump(folder / 'c.py')
    checkpoint = write_checkpoint(folder / 'x.pth', cfg)
    content = read_checkpoint(checkpoint)
    content['state_dict']['head.fc.weight'] *= 20  # else all scores of random weights are alike
    torch.save(content, checkpoint)
    export_onnx(load_model(checkpoint, device='cpu'), folder / 'm.onnx', files=[])
    paths = [str(folder / name) for name in KINDS]
    run(folder, 'test.py', 'c.py', 'x.pth', '--out', 'test.npz')
    tested = Predictions.load(folder / 'test.npz')
    assert [Path(name).name for name in tested.names] == list(KINDS)
    inferencer = MultiLabelInferencer(pretrained=str(checkpoint), device='cpu')
    classifier = OnnxClassifier(folder / 'm.onnx', threads=1)
    return {
        'tools/test.py': tested.scores,
        'inferencer': np.stack(
            [
                one['all_scores']
                for one in inferencer(paths, batch_size=3, return_scores=True, show_progress=False)
            ]
        ),
        'onnx': np.stack([classifier(path)['all_scores'] for path in paths]),
    }


@pytest.mark.slow
@pytest.mark.parametrize('way', ['inferencer', 'onnx'])
@pytest.mark.parametrize('kind', KINDS)
def test_scores_agree(scores: dict[str, np.ndarray], kind: str, way: str) -> None:
    row = KINDS.index(kind)
    np.testing.assert_allclose(scores[way][row], scores['tools/test.py'][row], rtol=0, atol=ATOL)


@pytest.mark.slow
def test_the_images_differ(scores: dict[str, np.ndarray]) -> None:
    """Else agreement would say nothing."""
    distinct = np.unique(scores['tools/test.py'].round(3), axis=0)
    assert len(distinct) >= 8
