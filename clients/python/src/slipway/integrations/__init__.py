"""Slipway under the interfaces of other libraries; each module is imported by itself."""
