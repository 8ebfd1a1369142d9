# The hard variant: up to six digits an image, from 7 px, most of them small, among clutter.
_base_ = './digits_64px.py'

hard_digits = dict(min_digit=7, max_digit=48, max_digits=6, size_law='log', clutter=6)
train_dataloader = dict(dataset=hard_digits)
val_dataloader = dict(dataset=hard_digits)
test_dataloader = val_dataloader
