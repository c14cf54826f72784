"""The models of `tradewind.specs` as CustomResourceDefinitions and ValidatingAdmissionPolicies; roles. Core.

`python -m tradewind.operators.crds charts/tradewind` writes them; a test compares the files with the models.
"""

from tradewind.operators.crds.admission import admission
from tradewind.operators.crds.definitions import definitions

__all__ = ["admission", "definitions"]
