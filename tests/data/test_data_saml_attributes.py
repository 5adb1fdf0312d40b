"""The SAML attributes that become condition keys."""

from rolecall.data import condition_keys, saml_attributes


def test_every_key_is_one_that_aws_lists() -> None:
    listed = {key.lower() for key in condition_keys("sts")}
    assert {attribute.key for attribute in saml_attributes().values()} <= listed


def test_lists_differ_from_single_values() -> None:
    table = saml_attributes()
    assert len(table) == 30
    assert table["urn:oid:1.3.6.1.4.1.5923.1.1.1.1"].is_list
    assert not table["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"].is_list
    assert table["urn:oid:2.5.4.3"].key == "saml:cn"
    assert table["2.5.4.3"].key == "saml:commonname"
