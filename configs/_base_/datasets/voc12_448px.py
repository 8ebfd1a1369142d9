# PASCAL VOC 2012: 5,717 training and 5,823 validation images, 20 classes.
_base_ = './voc07_448px.py'

data_root = 'data/VOCdevkit/VOC2012'

train_dataloader = dict(dataset=dict(data_root=data_root, split='train'))
val_dataloader = dict(dataset=dict(data_root=data_root, split='val'))
# For the evaluation server: train on split='trainval' (11,540 images), test with
# dict(data_root=data_root, split='test', labelled=False) and tools/submission/voc12.py.
test_dataloader = val_dataloader
