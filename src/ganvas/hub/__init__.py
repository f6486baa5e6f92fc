"""Sharing a trained model: a folder with a card and a manifest, and the Hugging Face hub.

    run.push_to_hub("owner/name", licence="cc-by-4.0")
    run = ganvas.from_pretrained("owner/name", revision="v1")

manifest.py     SHA-256 of each file of the folder, written and checked
model_card.py   README.md: what the model is, of which data, how good, with which limits, how to load it
facts.py        what of a run goes into the folder: counts and figures, no path, no name of a file
transfer.py     up and down, over huggingface_hub (the extra `[hub]`)
"""

from ganvas.hub.facts import facts_of
from ganvas.hub.manifest import MANIFEST, check_manifest, write_manifest
from ganvas.hub.model_card import README, SAMPLES, model_card
from ganvas.hub.transfer import PREFIX, Address, Pushed, address_of, checked_name, download, upload

__all__ = [
    "MANIFEST",
    "PREFIX",
    "README",
    "SAMPLES",
    "Address",
    "Pushed",
    "address_of",
    "check_manifest",
    "checked_name",
    "download",
    "facts_of",
    "model_card",
    "upload",
    "write_manifest",
]
