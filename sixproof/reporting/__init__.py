"""What a run says: matrices, diagnosis, ledger, Allure results, overview page, results.json.

Pure functions over `sixproof.model` values; nothing here knows pytest. `allure` is the only module
that imports Allure, and does nothing where Allure is not active.
"""
