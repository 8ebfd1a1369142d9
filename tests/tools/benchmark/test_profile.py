import torch
from _profile import Operator, top_operators
from _table import Record, operator_table


def test_operators_are_sorted_by_their_own_time() -> None:
    a, b = torch.randn(512, 512), torch.randn(8, 8)

    def run() -> None:
        for _ in range(3):
            torch.mm(a, a)
        b.sin()

    run()
    found = top_operators(run, 2)
    assert (found[0].name, found[0].calls, len(found)) == ('aten::mm', 3, 2)
    assert 1 >= found[0].share > found[1].share > 0
    assert found[0].seconds > found[1].seconds


def test_the_table_names_the_row_and_its_setting() -> None:
    operators = [Operator('aten::mm', 3, 0.012, 0.75)]
    record = Record('msf', 'amp', 'train', dict(batch=2, px=32), 1, 1.0, operators=operators)
    title, _, row = operator_table(record).splitlines()
    assert title == '| msf, amp, train, batch 2, px 32 | calls | ms | share |'
    assert row == '| `aten::mm` | 3 | 12.0 | 75% |'
