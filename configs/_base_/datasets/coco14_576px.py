# COCO 2014 at 576 px.
_base_ = ['./coco14_448px.py']

train_pipeline = _base_.train_pipeline
train_pipeline[1]['scale'] = (576, 576)
train_pipeline[3]['shape'] = 288
test_pipeline = _base_.test_pipeline
test_pipeline[1]['scale'] = (576, 576)

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
