"""The Train page: the run that is shown, live."""
