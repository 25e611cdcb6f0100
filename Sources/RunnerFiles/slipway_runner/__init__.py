"""The resident program inside a sandbox: supervisor, zygote and tasks.

Standard library only, valid on CPython 3.8 to 3.14. The files are loaded under the
private package name ``_slipway`` so that they never shadow a module of a task.
"""
