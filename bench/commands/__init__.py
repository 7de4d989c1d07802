"""What each command of the command line does; imported by it when it is called."""
