"""Tables as Markdown."""


def markdown_table(rows):
    """A Markdown table.

    Args:
      rows: lists of cells (strings), the header first.

    Returns:
      One line for each row, and the rule below the header, each with a newline.
    """
    header, *lines = rows
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, ["---"] * len(header), *lines))
