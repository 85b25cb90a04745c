"""Tables of HTML, read back as texts."""

from html.parser import HTMLParser


class Rows(HTMLParser):
    """Tables of HTML as lists of rows, a row as the texts of its cells; `tags` are all elements met."""

    def __init__(self, html: str):
        super().__init__()
        self.tables, self.tags, self.inside = [], set(), False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        self.inside = tag in ("td", "th", "s") or (self.inside and tag not in ("tr", "table"))

    def handle_data(self, data):
        if self.inside:
            self.tables[-1][-1][-1] += data
