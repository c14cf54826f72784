"""The executor process: intents → native engine → broker, and what happened → bus. One per account."""
