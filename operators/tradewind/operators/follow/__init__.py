"""What runs beside an executor: it follows the executor's own RiskPolicy, with the operator or without. Shell."""
