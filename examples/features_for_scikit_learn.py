"""Codes of a VAE as features for scikit-learn: pip install scikit-learn

python examples/features_for_scikit_learn.py [--minutes 1] [--preset tiny]
"""

import argparse

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ganvas

parser = argparse.ArgumentParser()
parser.add_argument("--minutes", type=float, default=1)
parser.add_argument("--preset", default=None)
options = parser.parse_args()

train = ganvas.open_data("digits")
test = train.part("test")
assert test is not None
run = ganvas.train("vae", train, minutes=options.minutes, preset=options.preset, samples=0)

classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
classifier.fit(run.encode(train.images), train.labels)
accuracy = classifier.score(run.encode(test.images), test.labels)
print(f"{accuracy:.1%} of {len(test)} digits that neither the VAE nor the classifier has seen")
