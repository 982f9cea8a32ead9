"""What is generated for the chart: the schema of its values and the table in its README. Not part of any program."""
