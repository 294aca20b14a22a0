"""A reporter that keeps what it is told."""

from luthier.core.run.reporting import Reporter


class Listener(Reporter):
    """Keeps what a run says, and what it warns of."""

    def __init__(self):
        self.said = []
        self.warnings = []

    def say(self, subject, text):
        super().say(subject, text)
        self.said.append((subject, text))

    def show(self, warning):
        self.warnings.append(warning)
