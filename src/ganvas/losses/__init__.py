"""Losses: pure functions, one equation each. They return one value an example; a method takes the mean and the weight."""
