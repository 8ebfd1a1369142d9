from pathlib import Path
from types import SimpleNamespace

from mmengine.logging import MMLogger

from mmmsf.engine import ReportHook


class _Report:

    def save(self, out_dir: Path) -> None:
        out_dir.mkdir(parents=True)
        (out_dir / 'metrics.json').write_text('{}')


def test_reports_go_to_val_and_test(tmp_path: Path) -> None:
    metrics = [SimpleNamespace(report=_Report()), SimpleNamespace(report=None), SimpleNamespace()]
    loop = SimpleNamespace(evaluator=SimpleNamespace(metrics=metrics))
    runner = SimpleNamespace(work_dir=str(tmp_path), val_loop=loop, test_loop=loop,
                             logger=MMLogger.get_current_instance())
    ReportHook().after_val_epoch(runner)
    ReportHook().after_test_epoch(runner)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*.json')) == [
        'test/metrics.json', 'val/metrics.json']
