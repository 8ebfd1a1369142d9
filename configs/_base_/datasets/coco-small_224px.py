# A small set of COCO photographs as two tables of paths and labels, for backbones trained with mean 0.498,
# deviation 0.502 and bicubic resizing (EfficientNet-Lite). Another folder:
# --cfg-options {train,val,test}_dataloader.dataset.data_root=FOLDER
_base_ = './pipelines-photographs.py'

data_root = 'data/coco_small'
classes = [
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat',
    'traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog',
    'horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella',
    'handbag', 'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
    'baseball bat', 'baseball glove', 'skateboard', 'surfboard', 'tennis racket', 'bottle',
    'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple', 'sandwich',
    'orange', 'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch',
    'potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote',
    'keyboard', 'cell phone', 'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book',
    'clock', 'vase', 'scissors', 'teddy bear', 'hair drier', 'toothbrush',
]
data_preprocessor = dict(
    num_classes=80, mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0], to_rgb=True)

train_pipeline = _base_.crops_224px
test_pipeline = _base_.whole_224px

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmmsf.CsvMultiLabel', data_root=data_root, ann_file='train.csv', classes=classes,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmmsf.CsvMultiLabel', data_root=data_root, ann_file='val.csv', classes=classes,
        pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader

# 77 of the 80 classes have at least 5 positives in val; the means leave out the others.
val_evaluator = dict(type='mmmsf.MultiLabelMetric', thr=0.5, min_positives=5)
test_evaluator = val_evaluator
