"""Tools of the tests of audits and diagnoses."""


def value_of(result, kind):
    """Return the value of the first finding of a kind, or None without one."""
    found = result.findings()
    found = found[found["kind"] == kind]
    return None if found.empty else found["value"].iloc[0]


def why_not(result, check):
    """Return why an audit could not make a check, or None if it made the check."""
    return result.not_checked.set_index("check")["why"].get(check)
