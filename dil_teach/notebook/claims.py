"""Print a chapter's claims for the reader, and assert them for the tests."""

from collections.abc import Mapping


def check_claims(claims: Mapping[str, object], own_photograph: bool = False) -> None:
    """Print whether each claim holds, and raise an AssertionError if one does not.

    Parameters
    ----------
    claims : mapping of str to bool
        Each claim in words, and whether it holds.
    own_photograph : bool
        Whether the reader uses another photograph. For a false claim, a sentence then
        replaces the error.
    """
    for claim, holds in claims.items():
        if own_photograph and not holds:
            print(f"On your photograph, this claim does not hold: {claim}.")
        else:
            print(f"{claim}: {bool(holds)}")
    failed = [claim for claim, holds in claims.items() if not holds]
    assert own_photograph or not failed, f"does not hold: {'; '.join(failed)}"
