"""Checkpoints that survive the end of the process at any moment."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmmsf.registry import HOOKS
from mmmsf.utils.atomic_file import PARTIAL
from mmmsf.utils.unwrap import unwrap_model

from .file_backend import AtomicBackend, DeferringBackend, register_atomic_backend


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """Save checkpoints such that a run is never without a valid one.

    Works as MMEngine's ``CheckpointHook``, with the same arguments. A checkpoint is written to a
    partial file, flushed to the disk and renamed; then ``last_checkpoint`` is written in the same
    way; then the outdated files are removed. A full disk therefore ends the run with the previous
    checkpoint intact, and a partial file never has a checkpoint's name. Gradients that were
    accumulated but not yet applied are saved as well (in a distributed run those of rank 0).

    Raises:
        OSError: While saving, if the file cannot be written; names it and the reason.
    """

    backend_args: dict[str, Any] | None
    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Set up the file backend and remove the leftovers of a killed run."""
        folder = str(self.out_dir or runner.work_dir)
        local = type(get_file_backend(folder)) is LocalBackend
        if local and self.backend_args is None and self.file_client_args is None:
            self.backend_args = dict(backend=register_atomic_backend())
        super().before_train(runner)
        self.file_backend = DeferringBackend(self.file_backend)
        info = runner.message_hub.runtime_info
        self.last_ckpt = info.get('last_ckpt')
        if local and is_main_process() and Path(self.out_dir).is_dir():
            # By name alone, and of this folder: a checkpoint must not name other runs' files.
            same_run = self.last_ckpt and Path(self.last_ckpt).parent == Path(self.out_dir)
            outdated = [Path(name).name for name in info.get('outdated_ckpts', []) if same_run]
            partial = [path.name for path in Path(self.out_dir).glob(f'*.pth{PARTIAL}')]
            for name in outdated + partial:
                path = Path(self.out_dir, name)
                if path.is_file():
                    path.unlink()
                    runner.logger.info(f'Removed {path}, a leftover of a killed run')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the gradients of an unfinished accumulation."""
        named = unwrap_model(runner.model).named_parameters()
        gradients = {
            name: value.grad.cpu()
            for name, value in named
            if value.grad is not None and value.grad.any()
        }
        if gradients and 'optimizer' in checkpoint:
            checkpoint['gradients'] = gradients

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restore the accumulated gradients."""
        gradients = checkpoint.get('gradients', {}) if runner._resume else {}
        for name, value in unwrap_model(runner.model).named_parameters():
            if name in gradients:
                value.grad = gradients[name].to(value.device)

    def _retire(self, runner: Runner, step: int) -> None:
        """Update the checkpoints to keep once that of ``step`` is written."""
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                name = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                if is_main_process():
                    self.file_backend.remove(self.file_backend.join_path(self.out_dir, name))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        names = [Path(path).name for path in self.file_backend.deferred]
        runner.message_hub.update_info('outdated_ckpts', names)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Write the checkpoint, then ``last_checkpoint``, then remove the outdated files."""
        self._retire(runner, step)
        name = self.filename_tmpl.format(step)
        path = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', path)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self.last_ckpt = path
        if is_main_process():
            AtomicBackend().put_text(path, Path(runner.work_dir, 'last_checkpoint'))
        self._remove_outdated()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, then remove the one that it replaces."""
        super().after_val_epoch(runner, metrics)
        self._remove_outdated()

    def _remove_outdated(self) -> None:
        best = getattr(self, 'best_ckpt_path', None)
        bests = getattr(self, 'best_ckpt_path_dict', {})
        self.file_backend.remove_deferred(keep=(self.last_ckpt, best, *bests.values()))
