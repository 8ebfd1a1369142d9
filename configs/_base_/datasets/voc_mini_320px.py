# As voc_mini_224px.py, at 320 px and with random crops as the only augmentation beside the flip.
_base_ = './voc_mini_224px.py'

train_pipeline = _base_.crops_320px
test_pipeline = _base_.whole_320px
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
