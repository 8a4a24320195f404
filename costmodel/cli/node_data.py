"""Where the data sets of --format model-explorer go: a folder of files, or the first of them alone."""

from __future__ import annotations

import os
import sys

from costmodel.analysis import Analysis
from costmodel.cli.output import write
from costmodel.errors import UsageError
from costmodel.report.model_explorer import data_sets


def write_node_data(analysis: Analysis, output: str | None) -> None:
    """Write a file a data set where `output` is a folder (it ends in / or is there); else the first data set.

    Raises UsageError where that is not possible.
    """
    found = data_sets(analysis)
    if output is not None and (output.endswith((os.sep, "/")) or os.path.isdir(output)):
        try:
            os.makedirs(output, exist_ok=True)
        except OSError as error:
            raise UsageError(f"-o {output}: no such folder can be made ({error.strerror}); give another") from error
        for one in found:
            write(one.text, os.path.join(output, one.file))
        return
    write(found[0].text, output)
    others = ", ".join(one.file for one in found[1:])
    print(
        f"This is {found[0].title}. Model Explorer reads one data set a file; -o FOLDER/ writes all of them: "
        f"{found[0].file}, {others}",
        file=sys.stderr,
    )
