"""Write the tables of docs/performance.md, between its markers, from the benchmarks' files."""

import json
import re
from pathlib import Path

from comparison import aligned, tables

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
BENCHMARKS = ("layers", "lm_step", "cache", "nmt", "sparse_inference", "floors")
BLOCK = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)
PENDING = "Not measured yet; `make bench` fills this in.\n"


def read_results(folder):
    """Return what the benchmarks left in ``folder``, by name; None for one that has not run."""
    paths = {name: Path(folder) / f"{name}.json" for name in BENCHMARKS}
    return {
        name: json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        for name, path in paths.items()
    }


def machine_table(results):
    """Return a Markdown table of where and when each benchmark ran."""
    rows = [
        [
            name,
            machine["processor"],
            f"{machine['threads']} of {machine['cores']}",
            ", ".join(flag for flag, there in machine["flags"].items() if there) or "none",
            machine["torch"],
            str(result["rounds"]),
            machine["date"],
            machine["commit"] or "",
        ]
        for name, result in results.items()
        if result and (machine := result["machine"])
    ]
    header = ["", "processor", "threads", "capabilities", "torch", "rounds", "date", "commit"]
    return aligned(header, rows) if rows else PENDING


def block(name, results):
    """Return the text of the block ``name``: the machine table or one benchmark's tables."""
    if name == "machine":
        return machine_table(results)
    if results[name] is None:
        return PENDING
    return "\n".join(tables(comparison) for comparison in results[name]["comparisons"])


def filled(page, results):
    """Return ``page`` with every block between markers made anew."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{block(match[2], results)}\n{match[3]}", page)


def main():
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(page, read_results(HERE / "results")), encoding="utf-8")


if __name__ == "__main__":
    main()
