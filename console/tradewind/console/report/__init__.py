"""What happened in a run: figures for programs, and one page for people."""
