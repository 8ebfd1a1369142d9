"""Packed rows of class indices: row i is ``values[ends[i - 1]:ends[i]]``, from 0 for the first."""

import numpy as np


def row_of(values: np.ndarray, ends: np.ndarray, row: int) -> np.ndarray:
    """Return a row of a packed array."""
    return values[ends[row - 1] if row else 0 : ends[row]]


def pair(rows: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return a number for each pair of an image and a class, ascending by image, then class."""
    return rows.astype(np.int64) * num_classes + labels


def pack(pairs: np.ndarray, num_classes: int, num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Split ascending pairs into class indices and the ends of the images."""
    counts = np.bincount(pairs // num_classes, minlength=num_rows)
    return (pairs % num_classes).astype(np.int32), np.cumsum(counts, dtype=np.int64)


def largest_of(pairs: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct pairs, ascending, and the largest area of each."""
    order = np.argsort(pairs, kind='stable')
    distinct, starts = np.unique(pairs[order], return_index=True)
    # fmax passes over NaN, so a known size wins over an unknown one
    largest = np.fmax.reduceat(areas[order], starts) if starts.size else np.empty(0)
    return distinct, largest.astype(np.float64)
