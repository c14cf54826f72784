"""The audit: a chain of hashes over all that an executor did, what breaks it, and the way back from a fill to a bar."""
