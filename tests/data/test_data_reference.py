"""Services, resource types, condition keys and dependent actions of the Service Authorization Reference."""

import pytest

from rolecall.data import actions, condition_keys, resource_types, service_prefixes


def test_services_are_those_that_have_actions() -> None:
    assert {"chime", "iam", "sts", "s3"} <= service_prefixes()
    assert len(service_prefixes()) > 400


def test_resource_types_of_chime_carry_templates_and_keys() -> None:
    assert len(resource_types("chime")) == 13
    meeting = resource_types("chime")["meeting"]
    assert meeting.arn == "arn:${Partition}:chime:${Region}:${AccountId}:meeting/${MeetingId}"
    assert meeting.condition_keys == ("aws:ResourceTag/${TagKey}",)


@pytest.mark.parametrize("service", ["chime", "iam", "sts", "s3", "ec2"])
def test_every_resource_type_an_action_names_is_known(service: str) -> None:
    named = {name for action in actions(service).values() for name in action.resource_types}
    assert named - set(resource_types(service)) == set()


def test_condition_keys_keep_the_spelling_of_the_reference() -> None:
    assert condition_keys("chime") == {"aws:RequestTag/${TagKey}", "aws:ResourceTag/${TagKey}", "aws:TagKeys"}
    assert "sts:ExternalId" in condition_keys("sts")


@pytest.mark.parametrize("table", [actions, resource_types, condition_keys])
@pytest.mark.parametrize("prefix", ["no-such-service", "../chime", "", "CHIME", "chime\n"])
def test_an_unknown_prefix_is_a_key_error(table, prefix: str) -> None:
    with pytest.raises(KeyError):
        table(prefix)


def test_dependent_actions_of_other_services() -> None:
    assert actions("iam")["addroletoinstanceprofile"].dependent_actions == ("iam:PassRole",)
    assert actions("iam")["getuser"].dependent_actions == ()
