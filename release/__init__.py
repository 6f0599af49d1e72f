"""What a release needs beside the build: versions that agree, its notes, and the chart that names its image."""
