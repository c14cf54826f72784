"""Strategy and RiskPolicy on Kubernetes: their definitions and the rules of admission. Core.

`crds` turns the models of `tradewind.specs` into what an API server needs to know of them.
"""
