"""The demo page, with and without a browser."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _page import _Page, bars_html, build_demo, class_choices
from _photo import Seen, draw_class, look, scale_names
from mmengine.config import Config
from PIL import Image

from mmmsf.apis import LoadedModel, load_model
from mmmsf.apis.inferencer import MultiLabelInferencer
from mmmsf.checkpoint.calibration import store_calibration
from mmmsf.checkpoint.files import write_checkpoint
from mmmsf.checkpoint.loading import build_model
from mmmsf.models.heads.calibration import Calibration
from mmmsf.visualization.attention_map import overlay

ROOT = Path(__file__).resolve().parents[2]
CLASSES = (
    '<img src=x onerror=window.hacked=1>',
    '${window.hacked=2}',
    "{{constructor}} & 'q'",
    'bell\x07',
    'dog',
)
THRESHOLDS = [0.0, 2.0, 2.0, 2.0, 2.0]  # only the first class reaches its own


def config(head: dict | None = None) -> Config:
    model = Config.fromfile(ROOT / 'configs/_base_/models/msf_resnet18_digits.py').model
    model.head.num_classes = model.data_preprocessor.num_classes = len(CLASSES)
    model.head.update(head or {})
    pipeline = [
        dict(type='mmmsf.LoadImage'),
        dict(type='Resize', scale=(64, 64)),
        dict(type='PackInputs'),
    ]
    return Config(dict(model=model, test_dataloader=dict(dataset=dict(pipeline=pipeline))))


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with random weights, a photograph, and files that are none."""
    folder = tmp_path_factory.mktemp('demo')
    torch.manual_seed(0)
    cfg = config()
    write_checkpoint(
        folder / 'model.pth',
        dict(
            meta=dict(
                cfg=cfg.pretty_text, dataset_meta=dict(classes=CLASSES), thresholds=THRESHOLDS
            ),
            state_dict=build_model(cfg).state_dict(),
        ),
    )
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / 'photo.png')
    (folder / 'text.png').write_text('<b>no image</b>')
    # A PNG of 60,000 x 60,000 pixels, by its header.
    header = b'IHDR' + struct.pack('>IIBBBBB', 60_000, 60_000, 8, 2, 0, 0, 0)
    (folder / 'bomb.png').write_bytes(
        b'\x89PNG\r\n\x1a\n'
        + struct.pack('>I', 13)
        + header
        + struct.pack('>I', zlib.crc32(header))
        + bytes(4)
        + b'IEND\xae\x42\x60\x82'
    )
    return folder


@pytest.fixture(scope='module')
def loaded(folder: Path) -> LoadedModel:
    return load_model(folder / 'model.pth', device='cpu')


def test_bars_are_sorted_chosen_and_escaped() -> None:
    scores = np.array([0.2, 0.9, 0.5, 0.75, 0.0], np.float32)
    page = bars_html(scores, np.array([0.3, 0.5, 0.5, 0.5, 0.5], np.float32), CLASSES)
    assert page.count('class="row"') == 3
    names = ('${window.hacked=2}', 'bell\\x07', '{{constructor}} &amp; &#x27;q&#x27;')
    places = [page.index(name) for name in names]
    assert places == sorted(places)
    assert 'width:75.0%' in page
    everything = bars_html(scores, np.zeros(5, np.float32), CLASSES)
    assert '<img' not in everything
    assert '\x07' not in everything
    assert 'No class reaches' in bars_html(scores, np.ones(5, np.float32), CLASSES)


def test_choices_start_with_the_surest_class() -> None:
    choices = class_choices(np.array([0.1, 0.2, 0.9, 0.3, 0.0], np.float32), CLASSES)
    assert [k for _, k in choices] == [2, 3, 1, 0, 4]
    assert choices[1][0] == 'bell\\x07 (0.300)'


def test_a_look_gives_the_inferencers_scores_and_maps(loaded: LoadedModel, folder: Path) -> None:
    inferencer = MultiLabelInferencer(loaded)
    seen = look(inferencer, folder / 'photo.png')
    expected = inferencer(
        str(folder / 'photo.png'), return_scores=True, return_attention=True, show_progress=False
    )[0]
    np.testing.assert_allclose(seen.scores, expected['all_scores'], atol=1e-6)
    assert seen.image.shape == (240, 320, 3)  # small photographs are shown larger
    assert list(seen.maps) == ['large', 'medium', 'small']
    assert seen.region == (0, 0, 320, 240)
    np.testing.assert_allclose(seen.maps['small'], expected['attention'][2], atol=1e-6)
    np.testing.assert_array_equal(
        draw_class(seen, 3, 'medium'), overlay(seen.image, seen.maps['medium'][3], seen.region)
    )
    pictures = [draw_class(seen, 3, scale) for scale in (*seen.maps, 'sum')]
    assert len({picture.tobytes() for picture in pictures}) == 4


def test_files_that_are_no_photograph(loaded: LoadedModel, folder: Path) -> None:
    inferencer = MultiLabelInferencer(loaded)
    with pytest.raises(ValueError, match=r'^bomb\.png: refused, the image is too large'):
        look(inferencer, folder / 'bomb.png')
    with pytest.raises(ValueError, match=r'^text\.png: not an image'):
        look(inferencer, folder / 'text.png')
    Image.new('L', (8000, 7000)).save(folder / 'large.png')
    with pytest.raises(ValueError, match='refused, 8000 x 7000 is more than max_pixels=50000000'):
        look(inferencer, folder / 'large.png')


def test_names_of_scales(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scale_names(loaded.model, 3) == ['large', 'medium', 'small']
    assert scale_names(loaded.model, 2) == ['scale 1', 'scale 2']
    monkeypatch.setattr(loaded.model.neck, 'passthrough', True)
    assert scale_names(loaded.model, 4) == ['large', 'medium', 'small', 'pooling']


def test_moving_the_threshold_does_not_run_the_model(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _Page(loaded, None)
    monkeypatch.setattr(page, 'inferencer', None)
    seen = Seen(np.array([0.6, 0.4, 0.7, 0.1, 0.2], np.float32), np.zeros((4, 4, 3), np.uint8))
    own, bars = page.moved(seen, 0.4)
    assert own is False
    assert bars.count('class="row"') == 3
    assert page.bars(seen, True, 0.4).count('class="row"') == 1
    assert page.attention(seen, 0, 'sum') is None
    assert 'Drop a photograph' in page.bars(None, True, 0.4)


def test_calibrated_scores_are_called_so(folder: Path) -> None:
    calibration = Calibration(np.ones(len(CLASSES)), np.zeros(len(CLASSES)))
    store_calibration(folder / 'model.pth', folder / 'calibrated.pth', calibration, CLASSES)
    scores = np.full(len(CLASSES), 0.5, np.float32)
    for calibrated in (True, False):
        loaded = load_model(folder / 'calibrated.pth', device='cpu', calibrated=calibrated)
        bars = _Page(loaded, None).bars(Seen(scores, np.zeros((4, 4, 3), np.uint8)), True, 0.5)
        assert ('right 8 times of 10' in bars) == calibrated


def test_errors_reach_the_page_escaped(loaded: LoadedModel, folder: Path) -> None:
    gradio = pytest.importorskip('gradio')
    page = _Page(loaded, gradio)
    bad = folder / '<b>\x07.png'
    bad.write_text('no')
    with pytest.raises(gradio.Error) as error:
        page.new_image(str(bad), True, 0.5, 'sum')
    assert error.value.message.startswith('&lt;b&gt;\\x07.png: not an image')
    assert page.new_image(None, True, 0.5, 'sum')[0] is None


def test_a_model_without_attention_has_no_attention_part() -> None:
    gradio = pytest.importorskip('gradio')
    cfg = config(dict(num_decoder_layers=0))
    thresholds = np.full(len(CLASSES), 0.5, np.float32)
    demo = build_demo(LoadedModel(build_model(cfg), cfg, CLASSES, thresholds, {}))
    columns = [block for block in demo.blocks.values() if isinstance(block, gradio.Column)]
    assert [column.visible for column in columns] == [True, True, False]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def wait_for(found: Callable[[], Any], seconds: float = 60) -> Any:
    """What ``found`` returns as soon as it is true."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except Exception as error:
            last = error
        time.sleep(0.1)
    raise AssertionError('nothing came in time') from last


@pytest.fixture(scope='module')
def address(folder: Path) -> Iterator[str]:
    """Address of the tool, started as a user would start it."""
    pytest.importorskip('gradio')
    port = free_port()
    with open(folder / 'log.txt', 'w') as log:
        process = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / 'tools/demo/demo.py'),
                'model.pth',
                '--port',
                str(port),
                '--device',
                'cpu',
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=dict(os.environ, OMP_NUM_THREADS='1', GRADIO_TEMP_DIR=str(folder / 'uploads')),
        )

    def answers() -> bool:
        assert process.poll() is None, (folder / 'log.txt').read_text()
        with socket.create_connection(('127.0.0.1', port), 1):
            return True

    try:
        wait_for(answers, 120)
        yield f'http://127.0.0.1:{port}'
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    webdriver = pytest.importorskip('selenium.webdriver', reason='needs selenium')
    binary = shutil.which('chromium') or shutil.which('google-chrome')
    driver = shutil.which('chromedriver')
    if binary is None or driver is None:
        pytest.skip('needs chromium and chromedriver')
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (
        'headless',
        'no-sandbox',
        'disable-gpu',
        'disable-quic',
        'no-first-run',
        'disable-background-networking',
        'disable-component-update',
        'disable-sync',
        f'user-data-dir={tmp_path}',
        'window-size=1300,900',
    ):
        options.add_argument(f'--{flag}')
    options.set_capability('goog:loggingPrefs', {'performance': 'ALL'})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def requested(browser: Any) -> list[str]:
    """Addresses that the browser fetched over a network."""
    messages = [json.loads(entry['message'])['message'] for entry in browser.get_log('performance')]
    urls = [
        message['params']['request']['url']
        for message in messages
        if message['method'] == 'Network.requestWillBeSent'
    ]
    return [url for url in urls if url.startswith(('http', 'ws'))]


def test_in_a_browser(address: str, browser: Any, folder: Path) -> None:
    browser.get(address)

    def all_of(selector: str) -> list[Any]:
        return browser.find_elements('css selector', selector)

    def upload(name: str) -> None:
        field = wait_for(lambda: all_of('#photo input[type=file]'))[0]
        field.send_keys(str(folder / name))

    upload('bomb.png')
    wait_for(lambda: 'bomb.png: refused, the image is too large' in all_of('.toast-wrap')[0].text)
    assert not all_of('#bars .row')
    browser.refresh()

    upload('photo.png')
    wait_for(lambda: len(all_of('#bars .row')) == 1)
    assert all_of('#bars .name')[0].text == CLASSES[0]
    assert all_of('#own input')[0].is_selected()

    slider = all_of('#threshold input[type=range]')[0]
    slider.send_keys('\ue011')  # Home: to 0
    wait_for(lambda: len(all_of('#bars .row')) == len(CLASSES))
    assert {name.text for name in all_of('#bars .name')} == {*CLASSES[:3], 'bell\\x07', 'dog'}
    wait_for(lambda: not all_of('#own input')[0].is_selected())
    slider.send_keys('\ue010')  # End: to 1
    wait_for(lambda: 'No class reaches' in all_of('#bars')[0].text)

    first = wait_for(lambda: all_of('#heat img')[0].get_attribute('src'))
    all_of('#scale input')[0].click()
    wait_for(lambda: all_of('#heat img')[0].get_attribute('src') != first)

    assert browser.execute_script('return window.hacked') is None
    urls = requested(browser)
    assert urls
    assert all(url.startswith(address) for url in urls)


def test_uploads_have_a_limit(address: str, folder: Path) -> None:
    httpx = pytest.importorskip('httpx')

    def send(size: int) -> int:
        return httpx.post(
            f'{address}/gradio_api/upload', files={'files': bytes(size)}, timeout=60
        ).status_code

    assert send(1000) == 200
    assert send(21_000_000) == 413
