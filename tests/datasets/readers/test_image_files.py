"""Image files that a table names without suffix, or with folders that are not there."""

import re
from pathlib import Path

import pytest

from mmmsf.datasets import CsvMultiLabel
from mmmsf.datasets.readers.tables import image_files
from mmmsf.datasets.readers.tables.image_files import find_images


@pytest.fixture
def make(tmp_path):
    def make_files(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return str(tmp_path)

    return make_files


# Files, names in the table, paths found, words of the note
FOUND = {
    'as they are': (['a.jpg', 'no_suffix'], ['a.jpg', 'no_suffix'], None, ''),
    'suffixes': (['a.jpg', 's/b.PNG'], ['a', 's/b'], ['a.jpg', 's/b.PNG'], 'suffix'),
    'some suffixes': (['a.jpg', 'b.jpg'], ['a', 'b.jpg'], ['a.jpg', 'b.jpg'], 'suffix'),
    'a dot is no suffix': (['a.1.jpg', 'a.2.jpg'], ['a.1', 'a.2'], ['a.1.jpg', 'a.2.jpg'], 'suf'),
    'the exact name first': (
        ['a.jpg', 'a.jpg.png', 'b.jpg'],
        ['a.jpg', 'b'],
        ['a.jpg', 'b.jpg'],
        '',
    ),
    'folders': (['p/a.jpg', 'q/b.jpg'], ['v/p/a.jpg', 'v/q/b.jpg'], ['p/a.jpg', 'q/b.jpg'], "'v/'"),
    'folders and suffixes': (['a.jpg', 'b.jpg'], ['v/w/a', 'v/w/b'], ['a.jpg', 'b.jpg'], "'v/w/'"),
    'upload code': (['a.jpg'], ['0123abcd-a.jpg'], ['a.jpg'], 'code'),
    'subfolders': (['x/1/a.jpg', 'y/b.jpg'], ['1/a', 'b.jpg'], ['x/1/a.jpg', 'y/b.jpg'], 'subf'),
    'nowhere': (['c.jpg'], ['a.jpg', 'b.jpg'], None, "2 of 2 images.*'a.jpg'"),
    'partly': (['a.jpg'], ['a.jpg', 'b.jpg'], None, "1 of 2 images.*'b.jpg'"),
    'in another folder': (['y/a.jpg', 'b.jpg'], ['x/a.jpg', 'b.jpg'], None, '1 of 2'),
    'no other copy': (['a.jpg', 'small/b.jpg'], ['a.jpg', 'b.jpg'], None, '1 of 2'),
    'a folder is no image': (['a.jpg', 'a/b.jpg'], ['a', 'a/b'], ['a.jpg', 'a/b.jpg'], 'suffix'),
    'no image': ([], ['a.jpg'], None, '1 of 1'),
}


@pytest.mark.parametrize('case', FOUND)
def test_found(case, make):
    files, names, expected, words = FOUND[case]
    found, note = find_images(names, make(*files), 't.csv')
    assert found == (expected or names)
    assert re.search(words, note) and bool(note) == (found != names or bool(words))


@pytest.mark.parametrize(
    'files, names, words',
    [
        (['a.jpg', 'a.png', 'b.jpg'], ['a', 'b'], r"'a' may be any of \['a.jpg', 'a.png'\]"),
        (['x/a.jpg', 'y/a.jpg'], ['a.jpg'], 'may be any of'),
        (['a.jpg'], ['a', 'b', 'c'], "2 of 3 images.*'b'"),
        (['c.jpg'], ['a', 'b'], "2 of 2 images.*'a'"),
    ],
)
def test_not_clear(files, names, words, make):
    with pytest.raises(ValueError, match=f't.csv: .*{words}'):
        find_images(names, make(*files), 't.csv')


def test_links_to_folders_are_followed_once(make, tmp_path):
    root = Path(make('images/a.jpg', 'other/b.jpg'))
    (root / 'images/more').symlink_to(root / 'other')
    (root / 'images/loop').symlink_to(root / 'images')
    assert find_images(['a', 'more/b'], str(root / 'images'), 't.csv')[0] == ['a.jpg', 'more/b.jpg']


@pytest.mark.parametrize('folder', ['s3://bucket/images', 'http://host/images', 'not/there'])
def test_folders_that_are_not_looked_at(folder, monkeypatch):
    monkeypatch.setattr(image_files, 'list_files', lambda _: pytest.fail('looked'))
    assert find_images(['a', 'b'], folder, 't.csv') == (['a', 'b'], '')


def test_two_rows_of_one_image(make, tmp_path):
    make('a.jpg')
    (tmp_path / 't.csv').write_text('path,labels\na,dog\na.jpg,cat\n')
    with pytest.raises(ValueError, match=r"t\.csv: line 3: 'a.jpg' is the image 'a.jpg' of line 2"):
        CsvMultiLabel(ann_file='t.csv', data_root=str(tmp_path), serialize_data=False)
