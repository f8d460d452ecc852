"""Elements of Sentinel-1 annotation files, read with messages that name the file and the element."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from ..errors import ProductError
from ..io.product_files import ProductFiles

AGAIN = "the product's annotation. Download the product again"
MOST_PIXELS = 1_000_000
"""A line or a sample beyond this is none."""


@dataclass(frozen=True, kw_only=True)
class Element:
    """An element with the words for a message about it.

    Attributes
    ----------
    node : xml.etree.ElementTree.Element
    where : str
        Product and file.
    """

    node: ElementTree.Element
    where: str

    def text(self, path: str) -> str:
        """Return the text of an element below."""
        found = self.node.findtext(path)
        if found is None or not found.strip():
            raise ProductError(f"{self.where}: {path} is missing; expected {AGAIN}.")
        return found.strip()

    def number(self, path: str) -> float:
        """Return a finite number."""
        return float(self.numbers(path)[0])

    def numbers(self, path: str) -> np.ndarray:
        """Return numbers separated by spaces, float64, shape (n,), at least one."""
        text = self.text(path)
        try:
            found = np.array(text.split(), np.float64)
        except ValueError as error:
            raise ProductError(f"{self.where}: {path} holds {text[:40]!r}; expected numbers. Get it again.") from error
        if not np.isfinite(found).all():
            raise ProductError(
                f"{self.where}: {path} holds {int((~np.isfinite(found)).sum())} values that are not finite; expected"
                f" {AGAIN}."
            )
        return found

    def wholes(self, path: str) -> np.ndarray:
        """Return whole numbers separated by spaces, int64, shape (n,), at least one."""
        found = self.numbers(path)
        if (np.abs(found) > MOST_PIXELS).any():
            raise ProductError(f"{self.where}: {path} holds {np.abs(found).max():g}; expected a line or a sample.")
        return found.astype(np.int64)

    def whole(self, path: str) -> int:
        """Return a whole number."""
        return int(self.wholes(path)[0])

    def all(self, path: str) -> list[Element]:
        """Return the elements of a path."""
        return [Element(node=n, where=self.where) for n in self.node.findall(path)]


def root_of(files: ProductFiles, name: str) -> Element:
    """Return the root of an XML file.

    Parameters
    ----------
    files : ProductFiles
        The product.
    name : str
        One of its files.

    Raises
    ------
    ProductError
        If it is damaged.
    """
    return Element(node=files.read_xml(name, expected=AGAIN), where=f"{files.name}/{name}")
