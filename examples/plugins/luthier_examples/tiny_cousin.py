"""Tiny's cousin: a Llama under an architecture name of its own, to show what a family is.

A model belongs to it where its config.json says `"architectures": ["TinyCousinForCausalLM"]`, or
where the run file says `model: {path: ..., family: tiny-cousin}`.
"""

from luthier.core.model.families import Family

TINY_COUSIN = Family(architectures=("TinyCousinForCausalLM",), template="plain")
