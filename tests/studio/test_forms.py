"""The form of a training is made of the settings themselves."""

from __future__ import annotations

from ganvas.catalog import catalog
from ganvas.settings import settings_of
from ganvas.studio.forms import training_form
from ganvas.studio.jobs import FORM
from ganvas.training.config import NOT_RECORDED, TrainConfig

FORM_FACTS = training_form()


def test_every_method_and_setting_is_in_it() -> None:
    assert [one["name"] for one in FORM_FACTS["methods"]] == list(catalog())
    for one in FORM_FACTS["methods"]:
        assert [setting["name"] for setting in one["settings"]] == [
            each["name"] for each in catalog()[one["name"]]["settings"]
        ]
        assert one["purposes"] and set(one["purposes"]) <= set(FORM_FACTS["purposes"])


def test_each_setting_is_json_schema_with_its_limits() -> None:
    (r3gan,) = [one for one in FORM_FACTS["methods"] if one["name"] == "r3gan"]
    schemas = {one["name"]: one["schema"] for one in r3gan["settings"]}
    assert schemas["batch_size"]["type"] == "integer" and schemas["batch_size"]["minimum"] == 1
    assert schemas["beta1"]["maximum"] == 0.9999 and schemas["gamma"]["type"] == ["number", "null"]
    assert (
        schemas["decay"]["enum"] == ["none", "linear", "cosine", "second_half"] and schemas["widths"]["type"] == "array"
    )
    for one in [*r3gan["settings"], *FORM_FACTS["data_settings"], *FORM_FACTS["options"]]:
        assert one["schema"]["description"], one["name"]


def test_a_new_option_of_a_training_is_decided_on() -> None:
    """Each is in the form, or it is known why not."""
    elsewhere = {"method", "data", "codes", "init_from", "log_to", *NOT_RECORDED} - {"device", "guard"}
    assert set(FORM) | elsewhere == set(settings_of(TrainConfig))
