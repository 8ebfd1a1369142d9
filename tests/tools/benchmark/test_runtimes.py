import pytest
import torch
from _runtimes import Inference, Mode, TrainStep, build_optimizer, random_batch
from mmengine.config import Config
from torch import Tensor

from mmmsf.checkpoint.loading import build_model

CONFIG = 'configs/msf/msf_resnet18_1xb16-10e_digits-64px.py'


@pytest.fixture(scope='module')
def cfg() -> Config:
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict(
        {
            'model.neck.embed_dims': 16,
            'model.head.embed_dims': 16,
            'model.head.feedforward_channels': 16,
            'model.head.num_encoder_layers': 1,
            'model.head.num_decoder_layers': 1,
        }
    )
    return cfg


@pytest.fixture
def model(cfg: Config):
    torch.manual_seed(0)
    return build_model(cfg)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('fast', "must be eager or some of compiled, .* got 'fast'"),
        ('eager+bf16', 'contradicts itself'),
        ('onnxruntime+folded', 'contradicts itself'),
        ('bf16+amp', 'contradicts itself'),
        ('compiled+frozen', 'contradicts itself'),
    ],
)
def test_modes_that_make_no_sense(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mode(name)


def test_types_and_trainability() -> None:
    assert Mode().dtype == torch.float32 and Mode('amp+channels_last').dtype == torch.bfloat16
    assert Mode('onnxruntime-int8').dtype is None
    trained = {
        name
        for name in (
            'eager',
            'compiled',
            'bf16',
            'amp',
            'channels_last',
            'folded',
            'frozen',
            'onnxruntime',
            'bf16+folded',
        )
        if Mode(name).trains
    }
    assert trained == {'eager', 'compiled', 'bf16', 'amp', 'channels_last'}


@pytest.mark.parametrize(
    ('mode', 'tolerance'),
    [('eager', 0.0), ('channels_last+folded', 1e-4), ('amp', 0.1), ('bf16', 0.1)],
)
def test_every_mode_computes_the_same(model, mode: str, tolerance: float) -> None:
    images, _ = random_batch(10, 2, (64, 64), 'cpu')
    with torch.no_grad():
        expected = model(images, mode='tensor')
    got = Inference(model, Mode(mode), images).task.run()
    assert isinstance(got, Tensor)
    torch.testing.assert_close(got.float(), expected, rtol=0, atol=tolerance)
    assert next(model.parameters()).dtype == torch.float32


def test_layout_and_type_are_really_used(model) -> None:
    images, _ = random_batch(10, 2, (64, 64), 'cpu')
    low = Inference(model, Mode('bf16+channels_last'), images)
    assert low.net.backbone.layer1[0].conv1.weight.dtype == torch.bfloat16
    assert low.net.backbone.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert low.task.run().dtype == torch.bfloat16
    amp = Inference(model, Mode('amp'), images)
    assert amp.net.backbone.layer1[0].conv1.weight.dtype == torch.float32


@pytest.mark.slow
def test_onnxruntime_scores_the_images_it_is_given(model) -> None:
    pytest.importorskip('onnxscript')
    pytest.importorskip('onnxruntime')
    images, _ = random_batch(10, 2, (64, 64), 'cpu')
    call = Inference(model, Mode('onnxruntime-int8'), images, threads=1)
    assert call.net is None
    (scores,) = call.task.run()
    assert scores.shape == (2, 10) and ((scores >= 0) & (scores <= 1)).all()


def test_a_step_is_the_step_of_training(model, cfg: Config) -> None:
    images, samples = random_batch(10, 4, (64, 64), 'cpu')
    step = TrainStep(model, Mode(), cfg)
    step.task(images, samples).run()

    twin = build_model(cfg).train()
    twin.load_state_dict(model.state_dict())
    wrapper = build_optimizer(twin, cfg)
    losses = twin(images, samples, mode='loss')
    wrapper.update_params(sum(losses.values()))
    for (name, got), (_, expected) in zip(
        step.model.named_parameters(), twin.named_parameters(), strict=True
    ):
        torch.testing.assert_close(got, expected, msg=lambda text, name=name: f'{name}: {text}')
    changed = [
        not torch.equal(a, b)
        for a, b in zip(step.model.parameters(), model.parameters(), strict=True)
    ]
    assert all(changed[:3])


def test_bf16_trains_float32_weights(model, cfg: Config) -> None:
    images, samples = random_batch(10, 2, (64, 64), 'cpu')
    step = TrainStep(model, Mode('bf16+channels_last'), cfg)
    seen = []
    step.model.backbone.layer1.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    step.task(images, samples).run()
    assert seen == [torch.bfloat16]
    assert all(p.dtype == torch.float32 for p in step.model.parameters())
    with pytest.raises(ValueError, match='cannot be trained'):
        TrainStep(model, Mode('folded'), cfg)
