from mmengine.model import BaseModel
from mmpretrain.models import AverageClsScoreTTA

from mmmsf.utils.unwrap import unwrap_model


class _Model(BaseModel):
    def forward(self, inputs: object) -> None:
        """Is never called."""


def test_any_nesting() -> None:
    model = _Model()
    assert unwrap_model(model) is model
    wrapped = AverageClsScoreTTA(module=AverageClsScoreTTA(module=model))
    assert unwrap_model(wrapped) is model
