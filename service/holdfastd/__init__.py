"""The Holdfast server.

Read the packages in this order: names, errors, catalog, inference, evidence, findings, plan (pure so far, but for the readers),
execute, store, jobs, then flows, where the stages meet, and rpc and http, which are the doors.
"""
