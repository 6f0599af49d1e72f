"""The alert rules of the chart, rendered by Helm and run by promtool: each fires on what it is for, and only then."""
