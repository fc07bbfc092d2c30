"""The speed goals, measured side by side in one run: `make bench`. Ratios and seconds of whole processes, never a test.

Each row names the goal, the figure and what it was compared with; medians, because shared machines are noisy.
"""
