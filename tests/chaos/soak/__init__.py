"""`make soak`: many remediations under faults at random, and what must hold all the while."""
