"""The parts of the test rig that decide something by themselves."""
