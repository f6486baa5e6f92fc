"""Losses: pure functions, one equation each. They return one value per example; a method takes the mean and the weight."""
