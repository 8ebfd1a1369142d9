"""Label tables in the dialects of other tools: recognised, fixed by arguments, or refused."""

import json

import pytest

from mmmsf.datasets import CsvMultiLabel
from mmmsf.datasets.readers.label_table import read_table
from mmmsf.datasets.readers.tables.options import TableOptions

FAST = dict(serialize_data=False)  # which would collect garbage at each data set
TRUTH = {
    '08': {'car'},
    '09': {'motorbike', 'truck'},
    '10': {'car', 'truck'},
    '11': {'truck'},
    '15': {'bus', 'person'},
    '23': {'car', 'person'},
}
CLASSES = ('bus', 'car', 'motorbike', 'person', 'truck')


def flags(labels, one='1', zero='0', join=','):
    return join.join(one if name in labels else zero for name in CLASSES)


def choices(labels):
    names = sorted(labels)
    cell = json.dumps(dict(choices=names)).replace('"', '""')
    return names[0] if len(names) == 1 else f'"{cell}"'


def via(labels):
    return json.dumps(dict(kind=dict.fromkeys(sorted(labels), True))).replace('"', '""')


def table(header, row):
    """Write a line, or several, for each image of the truth."""
    return '\n'.join([header, *(row(k, labels) for k, labels in TRUTH.items())]).strip() + '\n'


def pairs(header, row):
    return table(header, lambda k, labels: '\n'.join(row(k, name) for name in sorted(labels)))


# Name of the file, content, arguments, words of the line in the log
FORMS = {
    'native': (
        't.csv',
        table('path,labels', lambda k, x: f's_{k}.jpg,{";".join(sorted(x))}'),
        {},
        "labels separated by ';' or '|' in 'labels', 6 images, 5 classes",
    ),
    'roboflow': (
        '_classes.csv',
        table('filename, ' + ', '.join(CLASSES), lambda k, x: f's_{k}.jpg, {flags(x, join=", ")}'),
        {},
        'one-hot columns, 6 images, 5 classes',
    ),
    'booleans beside other columns': (
        't.csv',
        table(
            'Age,image,' + ','.join(CLASSES),
            lambda k, x: f'4{k},s_{k}.jpg,{flags(x, "True", "False")}',
        ),
        {},
        "columns not used: 'Age'",
    ),
    'planet': (
        'train_v2.csv',
        table('image_name,tags', lambda k, x: f's_{k},{" ".join(sorted(x))}'),
        {},
        "labels separated by blanks in 'tags'",
    ),
    'commas': (
        't.csv',
        table('image_name,tags', lambda k, x: f's_{k},"{", ".join(sorted(x))}"'),
        {},
        "labels separated by commas in 'tags'",
    ),
    'nih': (
        'Data_Entry.csv',
        table(
            'Image Index,Finding Labels,Follow-up #,Patient Age',
            lambda k, x: f's_{k}.jpg,{"|".join(sorted(x))},0,1',
        ),
        {},
        "columns not used: 'Follow-up #', 'Patient Age'",
    ),
    'open images': (
        'labels.csv',
        pairs('ImageID,Source,LabelName,Confidence', lambda k, x: f's_{k},verified,{x},1')
        + 's_08,verified,bus,0\n',
        {},
        '19 uncertain pairs of image and class ignored',
    ),
    'hugging face': (
        'metadata.csv',
        table('file_name,labels', lambda k, x: f's_{k}.jpg,"{sorted(x)}"'),
        {},
        'lists of labels',
    ),
    'json lines': (
        'metadata.jsonl',
        table('', lambda k, x: json.dumps(dict(file_name=f's_{k}.jpg', labels=sorted(x)))),
        {},
        'lists of labels',
    ),
    'label studio': (
        'export.csv',
        table(
            'annotation_id,choice,id,image',
            lambda k, x: f'1,{choices(x)},2,/data/upload/1/000000{k}-s_{k}.jpg',
        ),
        {},
        'images found without the code before the name',
    ),
    'via': (
        'via.csv',
        table(
            'filename,file_size,file_attributes,region_attributes',
            lambda k, x: f's_{k}.jpg,1,"{via(x)}",{{}}',
        ),
        {},
        "VIA's attribute 'kind'",
    ),
    'paddle': (
        'train_list.txt',
        table('', lambda k, x: f's_{k}.jpg\t{flags(x)}'),
        dict(names=CLASSES),
        'numbers of classes',
    ),
    'indices': (
        'train_list.txt',
        table(
            '',
            lambda k, x: f's_{k}.jpg\t{",".join(str(CLASSES.index(y)) for y in sorted(x))}',
        ),
        dict(names=CLASSES),
        'numbers of classes',
    ),
    'long': (
        'long.csv',
        pairs('path,label', lambda k, x: f's_{k}.jpg,{x}'),
        {},
        "a row a label in 'label', 6 images",
    ),
}


@pytest.mark.parametrize('form', FORMS)
def test_every_form_gives_the_same_labels(form, tmp_path, capture_log):
    name, content, options, words = FORMS[form]
    (tmp_path / name).write_text(content)
    for k in TRUTH:
        (tmp_path / f's_{k}.jpg').touch()
    data = CsvMultiLabel(ann_file=name, data_root=str(tmp_path), **FAST, **options)
    assert data.metainfo['classes'] == CLASSES
    infos = [data.get_data_info(i) for i in range(len(data))]
    found = {info['img_path']: {CLASSES[j] for j in info['gt_label']} for info in infos}
    assert found == {str(tmp_path / f's_{k}.jpg'): labels for k, labels in TRUTH.items()}
    assert any(words in line for line in capture_log), capture_log


@pytest.fixture
def read(tmp_path):
    def read_text(content, name='t.csv', vocabulary=(), **options):
        (tmp_path / name).write_text(content)
        return read_table(str(tmp_path / name), TableOptions(**options), vocabulary)

    return read_text


def labels_of(table):
    return {row.path: sorted(row.labels) for row in table.rows}


CHEXPERT = 'Path,Sex,bus,car\nv/a.jpg,F,0.0,1.0\nv/b.jpg,F,,-1.0\nv/c.jpg,M,1.0,0.0\n'


@pytest.mark.parametrize(
    'unknown, labels, ignored',
    [
        (None, [], ['bus', 'car']),
        ('ignore', [], ['bus', 'car']),
        ('negative', [], []),
        ('positive', ['bus', 'car'], []),
    ],
)
def test_uncertain_cells(read, unknown, labels, ignored):
    row = read(CHEXPERT, unknown=unknown).rows[1]
    assert (row.labels, row.unknown) == (labels, ignored)


def test_loss_and_metric_ignore_uncertain_cells(tmp_path):
    (tmp_path / 't.csv').write_text(CHEXPERT)
    data = CsvMultiLabel(ann_file='t.csv', data_root=str(tmp_path), **FAST)
    assert data.get_gt_labels().tolist() == [[0, 1], [-1, -1], [1, 0]]


def test_a_merged_class_is_positive_before_it_is_unknown(tmp_path):
    (tmp_path / 't.csv').write_text('path,a,b,c\nx.jpg,1,-1,0\ny.jpg,0,-1,1\n')
    data = CsvMultiLabel(
        ann_file='t.csv', data_root=str(tmp_path), rename_classes=dict(a='ab', b='ab'), **FAST
    )
    assert data.metainfo['classes'] == ('ab', 'c')
    assert data.get_gt_labels().tolist() == [[1, 0], [-1, 1]]


def test_names_of_open_images(read, tmp_path):
    names = tmp_path / 'classes.csv'
    names.write_text('/m/01,Tree\n/m/02,"Car, old"\n/m/03,Bus\n')
    content = 'ImageID,LabelName,Confidence\na,/m/02,1\na,/m/01,0\nb,/m/01,0.7\nb,/m/02,0\n'
    table = read(content, names=str(names))
    assert table.classes == ('Tree', 'Car, old', 'Bus') and table.complete
    assert [(row.labels, row.unknown) for row in table.rows] == [
        (['Car, old'], ['Bus']),
        ([], ['Tree', 'Bus']),
    ]
    with pytest.raises(ValueError, match=r"t\.csv: line 2: the label '/m/09'.*names"):
        read(content.replace('/m/02,1', '/m/09,1'), names=str(names))


def test_numbered_names_of_paddle(read, tmp_path):
    (tmp_path / 'names.txt').write_text('0 bus\n1 old car\n')
    table = read('a.jpg\t1\nb.jpg\t0,1\n', names=str(tmp_path / 'names.txt'))
    assert labels_of(table) == {'a.jpg': ['old car'], 'b.jpg': ['bus', 'old car']}


def test_verified_classes(read):
    content = 'path,labels,checked\na.jpg,dog,dog;cat\nb.jpg,cat;cow,\nc.jpg,,cow;dog;cat\n'
    table = read(content, verified_column='checked')
    assert [row.unknown for row in table.rows] == [['cow'], ['dog'], []]
    assert table.rows == read(content.replace('checked', 'verified_labels')).rows


def test_no_finding(read):
    content = 'Image Index,Finding Labels\na.jpg,No Finding\nb.jpg,Mass|Nodule\n'
    table = read(content)
    assert table.classes == ('Mass', 'Nodule') and table.rows[0].labels == []
    assert "'No Finding' means no label in 1 images" in table.description
    assert read(content, none_label='').classes == ('Mass', 'No Finding', 'Nodule')
    assert 'No Finding' in read(content, vocabulary=['No Finding']).classes
    with pytest.raises(ValueError, match=r"line 3: 'Mass' stands for no label.*\['Nodule'\]"):
        read(content, none_label='Mass')


def test_no_finding_as_a_column(read):
    content = 'path,none,a\nx.jpg,1,\ny.jpg,0,1\nz.jpg,,\n'
    table = read(content, none_label='none')
    assert table.classes == ('a',)
    assert [(row.labels, row.unknown) for row in table.rows] == [([], []), (['a'], []), ([], ['a'])]


def test_separators_are_set(read):
    content = 'image,disease\na.jpg,scab frog_eye\nb.jpg,scab\n'
    assert read(content, separator='none').classes == ('scab', 'scab frog_eye')
    assert read(content, separator=' ').classes == ('frog_eye', 'scab')
    assert read(content, vocabulary=['scab', 'frog_eye']).classes == ('frog_eye', 'scab')
    assert read(content, vocabulary=['scab frog_eye']).classes == ('scab', 'scab frog_eye')
    assert read('path,labels\na.jpg,x|y;z\n', separator=';').classes == ('x|y', 'z')


def test_several_combinations_of_few_tags(read):
    tags = ['clear primary', 'clear primary water', 'haze primary', 'haze primary water']
    tags += ['clear road', 'clear road water', 'haze road', 'haze road water', 'haze water']
    tags += ['clear water', 'primary road', 'primary road water', 'clear haze', 'cloudy clear']
    tags += ['cloudy haze', 'cloudy road', 'cloudy water', 'cloudy primary']
    table = read('image_name,tags\n' + ''.join(f'{k},{tag}\n' for k, tag in enumerate(tags)))
    assert table.classes == ('clear', 'cloudy', 'haze', 'primary', 'road', 'water')


def test_columns_are_set(read):
    content = 'path,file,Age,dog,tags,labels\na.jpg,b.jpg,1,0,x;y,z\nc.jpg,d.jpg,0,1,x,z\n'
    assert labels_of(read(content)) == {'a.jpg': ['z'], 'c.jpg': ['z']}
    table = read(content, path_column='file', label_columns='tags')
    assert labels_of(table) == {'b.jpg': ['x', 'y'], 'd.jpg': ['x']}
    table = read(content, path_column='file', label_columns=['Age', 'dog'])
    assert labels_of(table) == {'b.jpg': ['Age'], 'd.jpg': ['dog']}


# Content, arguments that the message must name, values that it must show
UNCLEAR = {
    'blanks': ('image,labels\na.jpg,scab frog_eye\nb.jpg,scab\n', 'separator', ['2 classes']),
    'hot dog': ('image,tags\na.jpg,hot dog\nb.jpg,dog\nc.jpg,cat\n', 'separator', ["'hot dog'"]),
    'native blanks': ('path,labels\na.jpg,stop sign\nb.jpg,bus\n', 'separator', ['3 classes']),
    'certain blanks beside others': (
        'image,tags\na.jpg,scab\nb.jpg,rust\nc.jpg,scab rust\nd.jpg,frog eye\n',
        'separator',
        ["'frog eye'"],
    ),
    'commas': ('image,labels\na.jpg,"a,b"\nb.jpg,c\n', 'separator', ['3 classes', '2 classes']),
    'one label by its name': (
        'image,label\na.jpg,fire\nb.jpg,truck\nc.jpg,fire truck\n',
        'separator',
        ['2 classes', '3 classes'],
    ),
    'lists among others': ("image,labels\na.jpg,['a']\nb.jpg,b;c\n", 'separator', ["'b;c'"]),
    'several rows of several labels': (
        'path,label\na.jpg,x;y\na.jpg,z\n',
        'separator',
        ["'x;y'"],
    ),
    'age': ('image,Age,dog\na.jpg,0,1\nb.jpg,1,0\n', 'label_columns', ["'Age'"]),
    'two columns of labels': (
        'image,labels,tags\na.jpg,x,y\n',
        'label_columns',
        ["'labels'", "'tags'"],
    ),
    'labels beside one-hot columns': (
        'image,labels,dog,cat\na.jpg,x,0,1\n',
        'label_columns',
        ["'labels'", "'cat'"],
    ),
    'two columns of paths': (
        'image,mask,dog\na.jpg,b.png,1\nc.jpg,d.png,0\n',
        'path_column',
        ["'image'", "'mask'"],
    ),
    'numbers as labels': ('image,label\na.jpg,0\nb.jpg,1\n', 'label_columns', ["'label'"]),
    'a cell of a class is damaged': (
        'image,dog,cat\na.jpg,1,0\nb.jpg,0,0\nc.jpg,0,1x\n',
        'label_columns',
        ["line 4: '1x'", "'cat'"],
    ),
    'a blank column': ('image,dog,cat\na.jpg,1,\nb.jpg,0,\n', 'label_columns', ["'cat'"]),
    'no zero': ('image,dog,cat\na.jpg,1,-1\nb.jpg,-1,1\n', 'unknown', ['2 cells']),
    'no zero, marks': ('image,dog,cat\na.jpg,1,\nb.jpg,,1\n', 'unknown', ['2 cells']),
    'only positive pairs': (
        'ImageID,LabelName,Confidence\na,x,1\nb,y,1\n',
        'unknown',
        ['2 cells or pairs'],
    ),
    'two columns of verified classes': (
        'image,labels,verified_labels,verified classes\na.jpg,x,y,z\n',
        'verified_column',
        ["'verified_labels'", "'verified classes'"],
    ),
    'no column of labels': ('image,by,note\na.jpg,me,x\n', 'label_columns', ["'by', 'note'"]),
    'attributes of VIA': (
        'filename,file_attributes\na.jpg,"{""kind"": ""x"", ""light"": ""day""}"\n',
        'label_columns',
        ["'kind': 1", "'light': 1"],
    ),
    'indices without names': ('a.jpg\t0,1\nb.jpg\t1,0\n', 'names', ['numbers']),
}


@pytest.mark.parametrize('case', UNCLEAR)
def test_unclear_tables_are_refused(case, read):
    content, argument, values = UNCLEAR[case]
    with pytest.raises(
        ValueError, match=rf't\.csv: .*set .*{argument}|t\.csv: {argument}'
    ) as caught:
        read(content)
    assert all(value in str(caught.value) for value in values), caught.value


def test_two_numbers_may_be_flags_or_indices(read):
    content = 'a.jpg\t0,1\nb.jpg\t1,0\n'
    with pytest.raises(ValueError, match='flags.*or indices.*separator'):
        read(content, names=['x', 'y'])
    assert read(content, names=['x', 'y'], separator=',').rows[0].labels == ['x', 'y']
    assert read(content + 'c.jpg\t0,0\n', names=['x', 'y']).rows[0].labels == ['y']
    with pytest.raises(ValueError, match='flags.*or indices.*separator'):
        read('image,labels\na.jpg,"0,1"\nb.jpg,\n', names=['x', 'y'])
    with pytest.raises(ValueError, match='flags.*or indices.*1 classes'):
        read('a.jpg\t0\nb.jpg\t0\n', names=['x'])
    table = read('a.jpg\t0\nb.jpg\t1\n', names=['x'])
    assert labels_of(table) == {'a.jpg': [], 'b.jpg': ['x']}


DAMAGED = {
    'json': ('{"file_name": "a.jpg", "labels": ["x"]}\n{"file_name"\n', 'm.jsonl', 'line 2'),
    'no object': ('["a.jpg"]\n', 'm.jsonl', 'line 1 must be a JSON object'),
    'repeated key': ('{"file_name": "a.jpg", "file_name": "b"}\n', 'm.jsonl', 'line 1.*twice'),
    'list of lists': ('{"file_name": "a.jpg", "labels": [["x"]]}\n', 'm.jsonl', 'line 1.*names'),
    'numpy list': ("path,labels\na.jpg,['x' 'y']\n", 't.csv', 'line 2'),
    'open list': ("path,labels\na.jpg,['x'\n", 't.csv', 'line 2'),
    'indices': ('a.jpg\t0,1\nb.jpg,2\n', 't.txt', 'line 2 must hold a path, a tab'),
    'absolute path': ('path,labels\n/d/a.jpg,x\n', 't.csv', 'line 2.*strip_prefix'),
    'contradiction': (
        'ImageID,LabelName,Confidence\na,x,1\na,x,0\n',
        't.csv',
        r"line 3: 'a' has and lacks the labels \['x'\]",
    ),
    'blank label': ('ImageID,LabelName,Confidence\na,x,1\nb,,0\n', 't.csv', 'line 3.*blank'),
    'annotated twice': ('image,choice\na.jpg,x\na.jpg,y\n', 't.csv', 'line 3.*already in line 2'),
    'via': ('filename,file_attributes\na.jpg,[1]\n', 't.csv', 'line 2: file_attributes'),
    'flag': ('{"image": "a.jpg", "labels": {"x": "maybe"}}\n', 'm.jsonl', 'line 1.*maybe'),
}


@pytest.mark.parametrize('case', DAMAGED)
def test_damaged_tables(case, read):
    content, name, message = DAMAGED[case]
    with pytest.raises(ValueError, match=message) as caught:
        read(content, name)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    'content, options',
    [
        (CHEXPERT, dict(separator=';')),
        (CHEXPERT, dict(names=['bus', 'car'])),
        (CHEXPERT, dict(verified_column='Sex')),
        (CHEXPERT, dict(none_label='tram')),
        (CHEXPERT, dict(strip_prefix='w/')),
        (CHEXPERT, dict(label_columns='tram')),
        ('path,labels\na.jpg,x\n', dict(unknown='negative')),
        ('path,label\na.jpg,x\na.jpg,y\n', dict(unknown='negative')),
        ('ImageID,LabelName,Confidence\na,x,1\n', dict(separator=';')),
        ('path,labels\na.jpg,x\n', dict(path_column='labels')),
        ('filename,file_attributes\na.jpg,{}\n', dict(separator=';')),
        (CHEXPERT, dict(separator='/')),
        (CHEXPERT, dict(unknown='maybe')),
        (CHEXPERT, dict(label_columns=[])),
        (CHEXPERT, dict(path_column=3)),
    ],
)
def test_arguments_that_do_not_fit(content, options, read):
    with pytest.raises(ValueError, match=next(iter(options))):
        read(content, **options)


def test_prefix_is_stripped(read):
    table = read(CHEXPERT.replace('v/', '/kaggle/v/'), strip_prefix='/kaggle/')
    assert [row.path for row in table.rows] == ['v/a.jpg', 'v/b.jpg', 'v/c.jpg']


def test_boxes_of_one_class_are_one_label(read):
    rows = 'a.jpg,9,dog,1\na.jpg,9,hot dog,2\na.jpg,9,dog,3\nb.jpg,9,cat,1\n'
    content = 'filename,width,class,xmin\n' + rows
    assert labels_of(read(content)) == {'a.jpg': ['dog', 'hot dog'], 'b.jpg': ['cat']}


def test_regions_of_via(read):
    content = (
        'filename,file_attributes,region_attributes\n'
        'a.jpg,"{""caption"": ""street""}","{""kind"": ""car""}"\n'
        'a.jpg,{},"{""kind"": ""bus"", ""light"": ""day""}"\nb.jpg,{},{}\n'
    )
    assert labels_of(read(content, label_columns='kind')) == {'a.jpg': ['bus', 'car'], 'b.jpg': []}


def test_attributes_of_every_via_project_are_no_labels(read):
    cell = '"{""caption"": ""street"", ""kind"": ""car"", ""note"": """"}"'
    assert labels_of(read(f'filename,file_attributes\na.jpg,{cell}\n')) == {'a.jpg': ['car']}


@pytest.mark.parametrize(
    'text, classes',
    [
        ('LabelName,DisplayName\n/m/1,Bus\n/m/2,Car\n', ('Bus', 'Car')),
        ('/m/1,Bus\n\n/m/2,Bus\n', "names.csv: names must hold distinct names.*'Bus'"),
        ('/m/1,Bus\n/m/1,Car\n', "names.csv: names must hold distinct ids.*'/m/1'"),
        ('\n', 'names.csv: names must hold'),
    ],
)
def test_files_of_class_names(text, classes, read, tmp_path):
    (tmp_path / 'names.csv').write_text(text)
    content = 'ImageID,LabelName,Confidence\na,/m/1,1\na,/m/2,0\n'
    if isinstance(classes, tuple):
        assert read(content, names=str(tmp_path / 'names.csv')).classes == classes
        return
    with pytest.raises(ValueError, match=classes):
        read(content, names=str(tmp_path / 'names.csv'))
