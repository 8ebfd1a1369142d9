# Corel5k: 4,500 + 500 photographs of 192 x 128 px with 374 words, as two tables of paths and labels, read
# as those of coco-small. 81 words have at least 5 positives in val; the means leave out the others. Another
# folder: --cfg-options {train,val,test}_dataloader.dataset.data_root=FOLDER
_base_ = './coco-small_224px.py'

data_root = 'data/corel5k'
classes = 'data/corel5k/classes.txt'
data_preprocessor = dict(num_classes=374)

train_dataloader = dict(dataset=dict(data_root=data_root, classes=classes))
val_dataloader = dict(dataset=dict(data_root=data_root, classes=classes))
test_dataloader = val_dataloader
