# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests stand on; tests/e2e/conftest.py makes fixtures of it."""
