"""What an audit and an application need of a target: one check per need, passed ones included, each with its cure.

Every file holds one family: it reads facts by SQL and judges them, one small function per check. Nothing is tried out, so nothing is
changed or locked. What the role cannot see is told as such, never taken for fine.
"""
