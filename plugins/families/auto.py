"""Any architecture that transformers can build and that no other family knows.

Its layers are read off the built model, its chat template is the one that it brings. That it was
taken so is told whenever it is. What transformers can build:
https://huggingface.co/docs/transformers/model_doc/auto.
"""

from luthier.core.model.families import Family

AUTO = Family(any_architecture=True, template="default")
