"""tools/converters/tbaln_to_mmmsf.py, on random weights of a network with the released names."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import _tbaln as tbaln
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from tests.helpers.run_tool import run_tool

torchvision = pytest.importorskip('torchvision')

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/msf/msf-authors_resnet101_6xb21-80e_coco14-448px.py'
NUM_CLASSES, SIZE = 11, 224


class Layer(nn.Module):
    """One layer of either stack, with the released parameter names."""

    def __init__(self, attention: str, norms: tuple[str, str]) -> None:
        super().__init__()
        self.attention, self.norms = attention, norms
        self.add_module(attention, nn.MultiheadAttention(512, 4))
        self.linear1, self.linear2 = nn.Linear(512, 2048), nn.Linear(2048, 512)
        for norm in norms:
            self.add_module(norm, nn.LayerNorm(512))

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Tokens first, then images: (N, B, 512)."""
        first, second = (self.get_submodule(norm) for norm in self.norms)
        x = first(x + self.get_submodule(self.attention)(query, key, value)[0])
        return second(x + self.linear2(F.gelu(self.linear1(x))))


class Released(nn.Module):
    """The released network, branch by branch, with the released parameter names."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        resnet = torchvision.models.resnet101()
        self.layer1 = nn.Sequential(
            resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool, resnet.layer1
        )
        self.layer2, self.layer3, self.layer4 = resnet.layer2, resnet.layer3, resnet.layer4
        self.transform_28 = nn.Conv2d(1024, 512, 1)
        self.transform_14 = nn.Conv2d(2048, 512, 1)
        self.transform_7 = nn.Conv2d(2048, 512, 3, stride=2)
        for i in (1, 2, 3):
            self.add_module(f'query_embed_{i}', nn.Embedding(num_classes, 512))
        self.positional_embedding = nn.ModuleDict(
            dict(row_embed=nn.Embedding(50, 256), col_embed=nn.Embedding(50, 256))
        )
        self.transformer = nn.ModuleDict(
            dict(
                encoder=nn.ModuleDict(
                    dict(
                        layers=nn.ModuleList(
                            Layer('self_attn', ('norm1', 'norm2')) for _ in range(2)
                        )
                    )
                ),
                decoder=nn.ModuleDict(
                    dict(
                        layers=nn.ModuleList(
                            Layer('multihead_attn', ('norm2', 'norm3')) for _ in range(3)
                        ),
                        norm=nn.LayerNorm(512),
                    )
                ),
            )
        )
        self.fc = nn.Module()
        self.fc.W = nn.Parameter(torch.empty(1, num_classes, 1536))
        self.fc.b = nn.Parameter(torch.empty(1, num_classes))

    def positions(self, height: int, width: int) -> Tensor:
        cols = self.positional_embedding['col_embed'].weight[:width]
        rows = self.positional_embedding['row_embed'].weight[:height]
        pos = torch.cat([cols.repeat(height, 1), rows.repeat_interleave(width, dim=0)], dim=1)
        return pos[:, None]  # (h*w, 1, 512)

    def branch(self, x: Tensor, labels: Tensor) -> Tensor:
        B, _, height, width = x.shape
        pos = self.positions(height, width)
        memory = x.flatten(2).permute(2, 0, 1)
        for layer in self.transformer['encoder']['layers']:
            memory = layer(memory, memory + pos, memory + pos, memory)
        labels = labels[:, None].expand(-1, B, -1)
        out = torch.zeros_like(labels)
        for layer in self.transformer['decoder']['layers']:
            out = layer(out, out + labels, memory + pos, memory)
        return self.transformer['decoder']['norm'](out).transpose(0, 1)  # (B, K, 512)

    def forward(self, images: Tensor) -> Tensor:
        f1 = self.layer3(self.layer2(self.layer1(images)))
        f2 = self.layer4(f1)
        maps = [self.transform_28(f1), self.transform_14(f2), self.transform_7(f2)]
        large = [F.interpolate(x, f1.shape[-2:], mode='bilinear', align_corners=True) for x in maps]
        product = large[0] * large[1] * large[2]
        maps = [
            F.interpolate(wide + product, x.shape[-2:], mode='bilinear', align_corners=True)
            for wide, x in zip(large, maps, strict=True)
        ]
        z = [
            self.branch(x, self.get_submodule(f'query_embed_{i + 1}').weight)
            for i, x in enumerate(maps)
        ]
        return (torch.cat(z, dim=-1) * self.fc.W).sum(dim=-1) + self.fc.b


def make_images() -> Tensor:
    torch.manual_seed(1)
    coarse = F.interpolate(torch.randn(2, 3, 8, 8), (SIZE, SIZE), mode='bilinear')
    return coarse + 0.3 * torch.randn(2, 3, SIZE, SIZE)


def randomise(model: nn.Module) -> None:
    """Draw all weights; take the batch statistics from random images."""
    for name, x in model.state_dict().items():
        if x.dim() == 1 and name.endswith('weight'):
            x.uniform_(0.5, 1.5)
        elif x.dim() == 1 or name == 'fc.b':
            x.uniform_(-0.1, 0.1)
        elif name == 'fc.W':
            x.normal_(std=0.05)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(make_images())


@pytest.fixture(scope='module')
def released() -> Released:
    torch.manual_seed(0)
    model = Released(NUM_CLASSES)
    randomise(model)
    return model.eval()


@pytest.fixture(scope='module')
def ours() -> nn.Module:
    """The authors' profile, untrained."""
    cfg = Config.fromfile(CONFIG).model
    cfg.head.num_classes = NUM_CLASSES
    return MODELS.build(cfg).eval()


@pytest.fixture(scope='module')
def shapes(ours: nn.Module) -> dict[str, torch.Size]:
    return {name: x.shape for name, x in ours.state_dict().items()}


def convert(*arguments: object) -> SimpleNamespace:
    return run_tool(ROOT, 'converters/tbaln_to_mmmsf.py', *map(str, arguments))


@pytest.mark.slow
def test_converted_weights_give_the_released_logits(
    released: Released, ours: nn.Module, tmp_path: Path
) -> None:
    state = {f'module.{name}': x for name, x in released.state_dict().items()}
    torch.save(
        dict(epoch=3, arch=f'TBALN-R101-{SIZE}', state_dict=state), tmp_path / 'released.pth'
    )
    done = convert(
        tmp_path / 'released.pth', tmp_path / 'ours.pth', '--num-classes-check', NUM_CLASSES
    )
    assert done.returncode == 0, done.stderr
    assert f'trained at {SIZE} px' in done.stdout
    checkpoint = torch.load(tmp_path / 'ours.pth', weights_only=True)
    ours.load_state_dict(checkpoint['state_dict'])
    assert ours.head.position.trained_grid.tolist() == [[14, 14], [7, 7], [3, 3]]
    images = make_images()
    with torch.no_grad():
        expected = released(images)
        logits = ours.head(ours.extract_feat(images))
    assert (expected[0] - expected[1]).abs().max() > 0.05  # the logits see the image ...
    assert expected.std(dim=1).min() > 0.1  # ... and the class
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_every_tensor_arrives_once(released: Released, shapes: dict[str, torch.Size]) -> None:
    source = released.state_dict()
    converted = tbaln.convert_tbaln(source, shapes, 448)
    assert {name: x.shape for name, x in converted.items()} == shapes
    assert converted[tbaln.GRID].tolist() == [[28, 28], [14, 14], [6, 6]]
    assert converted[tbaln.GRID].dtype == torch.long
    total = sum(x.numel() for x in converted.values())
    assert total - 6 == sum(x.numel() for x in source.values())


@pytest.mark.parametrize(
    'wrap',
    [
        lambda state: state,
        lambda state: dict(model=state, optimizer=dict()),
        lambda state: dict(state_dict=state, epoch=3),
        lambda state: {f'module.{name}': x for name, x in state.items()},
        lambda state: dict(model={f'module.{name}': x for name, x in state.items()}),
    ],
    ids=['plain', 'model', 'state_dict', 'module', 'model-module'],
)
def test_unwrap(wrap: Callable) -> None:
    state = dict(a=torch.zeros(1), b=torch.ones(2))
    unwrapped = tbaln.unwrap(wrap(state))
    assert unwrapped.keys() == state.keys()
    assert unwrapped['b'] is state['b']


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        ([], 'must be a non-empty mapping of weights, .* got list'),
        (dict(state_dict=dict()), 'non-empty mapping of weights'),
        (dict(weights=dict(), epoch=3), 'must be tensors, got others under weights, epoch'),
    ],
    ids=['list', 'empty', 'strange'],
)
def test_unwrap_refuses(checkpoint: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tbaln.unwrap(checkpoint)


@pytest.mark.parametrize(
    ('change', 'fault'),
    [
        (lambda state: state.pop('fc.W'), 'missing: fc.W'),
        (lambda state: state.pop('query_embed_2.weight'), 'missing: query_embed_2.weight'),
        (lambda state: state.pop('layer1.1.running_mean'), 'missing: layer1.1.running_mean'),
        (
            lambda state: state.update(
                {'transformer.decoder.layers.0.norm1.weight': torch.ones(512)}
            ),
            'left over: transformer.decoder.layers.0.norm1.weight',
        ),
        (
            lambda state: state.update({'query_embed_4.weight': torch.ones(NUM_CLASSES, 512)}),
            'left over: query_embed_4.weight',
        ),
        (
            lambda state: state.update({'fc.W': state['fc.W'][0]}),
            f'wrong shape: fc.W is ({NUM_CLASSES}, 1536), not (1, {NUM_CLASSES}, 1536)',
        ),
        (
            lambda state: state.update({'transform_7.weight': torch.ones(512, 2048, 1, 1)}),
            'wrong shape: transform_7.weight is (512, 2048, 1, 1), not (512, 2048, 3, 3)',
        ),
        (
            lambda state: state.update({'query_embed_1.weight': torch.ones(3, 512)}),
            f'wrong shape: query_embed_1.weight is (3, 512), not ({NUM_CLASSES}, 512)',
        ),
    ],
)
def test_what_does_not_fit_is_named(
    released: Released, shapes: dict[str, torch.Size], change: Callable, fault: str
) -> None:
    state = dict(released.state_dict())
    change(state)
    with pytest.raises(ValueError) as error:
        tbaln.convert_tbaln(state, shapes, 448)
    assert str(error.value).splitlines()[1:] == [fault]


@pytest.mark.parametrize(
    ('size', 'grids'),
    [
        (448, [28, 14, 6]),
        (576, [36, 18, 8]),
        (224, [14, 7, 3]),
        (65, [5, 3, 1]),
        (800, [50, 25, 12]),
    ],
)
def test_branch_grids(size: int, grids: list[int]) -> None:
    assert tbaln.branch_grids(size) == [[side, side] for side in grids]


@pytest.mark.parametrize('size', [64, 801])
def test_branch_grids_refuse(size: int) -> None:
    with pytest.raises(ValueError, match=f'`image_size` must be between 65 and 800, got {size}'):
        tbaln.branch_grids(size)


@pytest.mark.parametrize('state', [dict(), {'fc.b': torch.zeros(5)}], ids=['none', 'flat'])
def test_classes_cannot_be_counted(state: dict) -> None:
    with pytest.raises(ValueError, match=r'`fc.b` must have shape \(1, K\), got'):
        tbaln.count_classes(state)


@pytest.mark.parametrize(
    ('checkpoint', 'size'),
    [
        (dict(arch='TBALN-R101-576'), 576),
        (dict(arch='Q2L-R101-448', state_dict={}), 448),
        (dict(arch='TBALN-R101-448', args=dict(img_size=512)), 512),
        (dict(arch='resnet'), None),
        (dict(args=dict()), None),
        ([], None),
    ],
)
def test_image_size_of_a_checkpoint(checkpoint: object, size: int | None) -> None:
    assert tbaln.trained_image_size(checkpoint) == size


def test_tool_asks_for_an_image_size(tmp_path: Path) -> None:
    torch.save({'fc.b': torch.zeros(1, 5)}, tmp_path / 'a.pth')
    done = convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert done.returncode == 1
    assert 'a.pth: names no image size' in done.stderr and '--image-size' in done.stderr
    assert not (tmp_path / 'b.pth').exists()


def test_half_precision_becomes_float32() -> None:
    weights = dict(a=torch.tensor([0.1]).half(), b=torch.ones(2), steps=torch.tensor(3))
    converted, others = tbaln.to_float32(weights)
    assert {name: value.dtype for name, value in converted.items()} == dict(
        a=torch.float32, b=torch.float32, steps=torch.int64
    )
    assert converted['a'] == weights['a'].float() and others == ['torch.float16']
    assert tbaln.to_float32(dict(b=torch.ones(2)))[1] == []


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_broken_weights_are_refused(value: float) -> None:
    weights = dict(a=torch.ones(2), b=torch.tensor([1.0, value]), c=torch.tensor([value]).half())
    with pytest.raises(ValueError, match='must be finite, .* in b, c; convert'):
        tbaln.to_float32(weights)


def test_tool_refuses_another_number_of_classes(tmp_path: Path) -> None:
    torch.save(dict(state_dict={'fc.b': torch.zeros(1, 5)}, arch='x-448'), tmp_path / 'a.pth')
    done = convert(tmp_path / 'a.pth', tmp_path / 'b.pth', '--num-classes-check', 80)
    assert done.returncode == 1
    assert 'a.pth: the checkpoint must have 80 classes, got 5' in done.stderr
    assert not (tmp_path / 'b.pth').exists()


def test_tool_runs_no_code_of_a_checkpoint(tmp_path: Path) -> None:

    class Attack:
        def __reduce__(self) -> tuple:
            return Path.mkdir, (tmp_path / 'owned',)

    torch.save(dict(state_dict=dict(), attack=Attack()), tmp_path / 'hostile.pth')
    done = convert(tmp_path / 'hostile.pth', tmp_path / 'b.pth')
    assert done.returncode == 1
    assert 'which are never loaded' in done.stderr
    assert not (tmp_path / 'owned').exists()
    assert not (tmp_path / 'b.pth').exists()


def test_tool_checks_its_paths_first(tmp_path: Path) -> None:
    done = convert(tmp_path / 'none.pth', tmp_path / 'b.pth')
    assert done.returncode == 2
    assert 'no such file' in done.stderr
