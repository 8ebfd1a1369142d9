# As voc_mini_224px.py, with random crops as the only augmentation beside the flip, and whole images of 320 px.
_base_ = './voc_mini_224px.py'

train_pipeline = _base_.crops_224px
test_pipeline = _base_.whole_320px
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
