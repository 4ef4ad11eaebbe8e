"""What is lost when things die: a soak of faults, kills aimed at saves, takeovers, and what safety costs.

python -m benchmarks.faults soak|aimed|takeover|overhead|all
"""
