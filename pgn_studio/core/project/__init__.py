"""What somebody works on: data set, classifier, PGN and run, opened in one way for every face."""
