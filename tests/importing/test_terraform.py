"""``terraform show -json``: plans and states, modules, what a plan does not know, and what is listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from import_worlds import FIRST, IAM, READ_ONLY, SECOND
from test_account_details import ALLOW, trust

from rolecall.ids import Identifiers
from rolecall.importing.reading import imported
from rolecall.importing.terraform import NO_ACCOUNT_MESSAGE
from rolecall.importing.written import Imported, UnimportableError
from rolecall.worlds.declare import read_world


def resource(kind: str, name: str, /, index: Any = None, module: str = "", **values: Any) -> dict[str, Any]:
    address = f"{module}{'.' if module else ''}{kind}.{name}"
    made = {"address": address, "mode": "managed", "type": kind, "name": name, "values": values}
    return made if index is None else made | {"index": index, "address": f"{address}[{json.dumps(index)}]"}


def state(*resources: Any, **members: Any) -> dict[str, Any]:
    root = {"resources": list(resources), **members}
    return {"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": root}}


def plan(resources: list[Any], expressions: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A plan; ``expressions`` has references by address and member."""
    configured = [
        {"address": address, "expressions": {key: {"references": names} for key, names in each.items()}}
        for address, each in expressions.items()
    ]
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": resources}},
        "configuration": {"root_module": {"resources": configured}},
        **members,
    }


def run(folder: Path, *values: Any, account: str = "") -> Imported:
    names = []
    for number, value in enumerate(values):
        (folder / f"{number}.json").write_text(json.dumps(value), encoding="utf-8")
        names.append(str(folder / f"{number}.json"))
    return imported(names, Identifiers(seed=5), account)


def problems(folder: Path, *values: Any, account: str = "") -> list[str]:
    with pytest.raises(UnimportableError) as caught:
        run(folder, *values, account=account)
    return caught.value.problems


TEXT = json.dumps(ALLOW)
ROLE = resource(
    "aws_iam_role",
    "app",
    arn=f"{IAM}:role/svc/app",
    name="app",
    path="/svc/",
    assume_role_policy=json.dumps(trust(AWS=f"{IAM}:user/ana")),
    max_session_duration=7200,
    description="d",
    permissions_boundary=None,
    tags={"a": "b"},
    tags_all={"a": "b", "c": "d"},
    inline_policy=[{"name": "own", "policy": TEXT}, {}],
    managed_policy_arns=[READ_ONLY],
)
ANA = resource("aws_iam_user", "ana", arn=f"{IAM}:user/ana", name="ana", path="/", tags=None)


def test_a_state(make_world: Any, tmp_path: Path) -> None:
    made = run(
        tmp_path,
        state(
            ROLE,
            ANA,
            resource("aws_iam_group", "g", arn=f"{IAM}:group/g", name="g", path="/"),
            resource("aws_iam_group_membership", "m", group="g", users=["ana"], name="m"),
            resource("aws_iam_group_policy", "gp", group="g", name="read", policy=TEXT),
            resource("aws_iam_policy", "p", arn=f"{IAM}:policy/p", name="p", path="/", policy=TEXT, description="x"),
            resource("aws_iam_role_policy_attachment", "a", role="app", policy_arn=f"{IAM}:policy/p"),
            resource("aws_iam_policy_attachment", "b", users=["ana"], roles=[], groups=["g"], policy_arn=READ_ONLY),
            resource("aws_iam_instance_profile", "i", arn=f"{IAM}:instance-profile/i", name="i", path="/", role="app"),
            resource("aws_iam_service_linked_role", "s", aws_service_name="voiceconnector.chime.amazonaws.com"),
            resource(
                "aws_iam_openid_connect_provider",
                "o",
                arn=f"{IAM}:oidc-provider/token.actions.githubusercontent.com",
                url="token.actions.githubusercontent.com",
                client_id_list=["sts.amazonaws.com"],
                thumbprint_list=[],
            ),
            resource("aws_iam_access_key", "k", user="ana", secret="never-shown"),
            resource("aws_s3_bucket", "one", bucket="x"),
            resource("aws_s3_bucket", "two", bucket="y"),
        ),
    )
    account = read_world(made.text).accounts[0]
    [role] = account.roles
    assert (role.path, role.max_session_duration_seconds, role.description) == ("/svc/", 7200, "d")
    assert dict(role.tags) == {"a": "b", "c": "d"}
    assert role.attached_policies == (READ_ONLY, f"{IAM}:policy/p")
    assert json.loads(role.inline_policies["own"]) == ALLOW
    assert (account.users[0].groups, account.users[0].attached_policies) == (("g",), (READ_ONLY,))
    assert account.instance_profiles[0].role == "app"
    assert account.oidc_providers[0].url == "https://token.actions.githubusercontent.com"
    assert account.service_linked_roles == ("voiceconnector.chime.amazonaws.com",)
    [note] = made.notes
    assert note.endswith("2 resources of the type aws_s3_bucket: Rolecall does not have this; left out")
    assert "never-shown" not in made.text + note
    [key] = made.keys
    keys = (key.access_key_id, key.secret_access_key)
    world = make_world(made.text)
    assert world.client("iam", keys=keys).get_user(UserName="ana")["User"]["Arn"] == f"{IAM}:user/ana"
    with pytest.raises(ClientError, match="AccessDenied"):
        world.client("iam", keys=keys).list_users()


def test_a_plan_knows_no_arns_but_its_configuration_says_whose_they_are(tmp_path: Path) -> None:
    resources = [
        resource("aws_iam_policy", "p", name="p", path="/team/", policy=TEXT),
        resource("aws_iam_policy", "many", index=0, name="m0", path="/", policy=TEXT),
        resource("aws_iam_policy", "many", index=1, name="m1", path="/", policy=TEXT),
        resource(
            "aws_iam_role", "r", name="r", path="/", assume_role_policy=json.dumps(trust(Service="x.amazonaws.com"))
        ),
        resource("aws_iam_role_policy_attachment", "a"),
        resource("aws_iam_role_policy_attachment", "many", index=1, role="r"),
    ]
    expressions = {
        "aws_iam_role.r": {"permissions_boundary": ["aws_iam_policy.p.arn", "aws_iam_policy.p"]},
        "aws_iam_role_policy_attachment.a": {
            "role": ["aws_iam_role.r.name", "aws_iam_role.r"],
            "policy_arn": ["aws_iam_policy.p.arn", "aws_iam_policy.p"],
        },
        "aws_iam_role_policy_attachment.many": {"policy_arn": ["aws_iam_policy.many", "aws_iam_policy.many[1].arn"]},
    }
    made = run(tmp_path, plan(resources, expressions), account=FIRST)
    [role] = read_world(made.text).accounts[0].roles
    assert role.attached_policies == (f"{IAM}:policy/team/p", f"{IAM}:policy/m1")
    assert role.permissions_boundary == f"{IAM}:policy/team/p"


def test_a_member_that_will_be_null_is_not_unknown(tmp_path: Path) -> None:
    """The plan says so under after_unknown, also where the expression has a variable."""
    changes = [{"address": "aws_iam_user.u", "change": {"after_unknown": {"arn": True}}}]
    expressions = {"aws_iam_user.u": {"permissions_boundary": ["var.boundary"]}}
    value = plan([resource("aws_iam_user", "u", name="u", path="/")], expressions, resource_changes=changes)
    [user] = read_world(run(tmp_path, value, account=FIRST).text).accounts[0].users
    assert user.permissions_boundary is None
    changes[0]["change"] = {"after_unknown": {"permissions_boundary": True}}
    [said] = problems(tmp_path, value, account=FIRST)
    assert "aws_iam_user.u: permissions_boundary is known after apply only" in said


def test_the_account_of_a_plan(tmp_path: Path) -> None:
    caller = resource("aws_caller_identity", "me", account_id=SECOND) | {"mode": "data"}
    user = resource("aws_iam_user", "u", name="u", path="/")
    made = run(tmp_path, plan([caller, user], {}))
    assert [account.account_id for account in read_world(made.text).accounts] == [SECOND]
    prior = {"values": {"root_module": {"resources": [{"values": {"arn": f"{IAM}:role/x"}}]}}}
    made = run(tmp_path, plan([user], {}, prior_state=prior))
    assert [account.account_id for account in read_world(made.text).accounts] == [FIRST]
    [said] = problems(tmp_path, plan([user], {}))
    assert said.endswith(NO_ACCOUNT_MESSAGE)


def test_modules(tmp_path: Path) -> None:
    """The configuration of a module is below module_calls, and an address in it has no index of the module."""
    address = 'module.team["a"]'
    child = {
        "address": address,
        "resources": [
            resource("aws_iam_policy", "p", module=address, name="p", path="/", policy=TEXT),
            resource("aws_iam_user", "u", module=address, name="u", path="/"),
            resource("aws_iam_user_policy_attachment", "a", module=address, user="u"),
        ],
    }
    value = plan([], {})
    value["planned_values"]["root_module"]["child_modules"] = [child]
    attached = {
        "address": "aws_iam_user_policy_attachment.a",
        "expressions": {"policy_arn": {"references": ["aws_iam_policy.p.arn"]}},
    }
    value["configuration"]["root_module"]["module_calls"] = {"team": {"module": {"resources": [attached]}}}
    made = run(tmp_path, value, account=FIRST)
    assert read_world(made.text).accounts[0].users[0].attached_policies == (f"{IAM}:policy/p",)


@pytest.mark.parametrize(
    ("resources", "expressions", "said"),
    [
        (
            [resource("aws_iam_policy", "p", name="p", path="/")],
            {"aws_iam_policy.p": {"policy": ["aws_s3_bucket.b.arn"]}},
            "aws_iam_policy.p: policy is known after apply only",
        ),
        (
            [ANA, resource("aws_iam_user_policy_attachment", "a", user="ana")],
            {"aws_iam_user_policy_attachment.a": {"policy_arn": ["module.x.arn"]}},
            "aws_iam_user_policy_attachment.a: policy_arn is known after apply only",
        ),
        (
            [resource("aws_iam_user", "u", name="u", path="/")],
            {"aws_iam_user.u": {"permissions_boundary": ["var.boundary"]}},
            "aws_iam_user.u: permissions_boundary is known after apply only",
        ),
        (
            [resource("aws_iam_role", "r", name="r", path="/", assume_role_policy=json.dumps(trust(AWS="*")))],
            {"aws_iam_role.r": {"managed_policy_arns": ["var.more", "aws_iam_role.r.arn", "aws_iam_role.r"]}},
            "aws_iam_role.r: managed_policy_arns is known after apply only",
        ),
        (
            [resource("aws_iam_user_group_membership", "m", user="ana", groups=["g", None])],
            {},
            "aws_iam_user_group_membership.m: groups is known after apply only",
        ),
        (
            [resource("aws_iam_policy", "p", name="p", path="/", policy=TEXT), resource("aws_iam_user", "u", path="/")],
            {"aws_iam_user.u": {"name": ["aws_iam_policy.p.name", "aws_iam_policy.p"]}},
            "aws_iam_user.u: name is known after apply only",
        ),
        ([resource("aws_iam_user", "u", name=5, path="/")], {}, "aws_iam_user.u: name must be text"),
        ([resource("aws_iam_policy", "p", name="p", path="/", policy="{")], {}, "not a policy that AWS accepts"),
    ],
)
def test_what_a_plan_does_not_know_is_never_guessed(
    resources: list[Any], expressions: dict[str, Any], said: str, tmp_path: Path
) -> None:
    found = problems(tmp_path, plan(resources, expressions), account=FIRST)
    assert any(said in each for each in found), found


def test_a_grant_to_an_entity_that_no_file_has_is_listed(tmp_path: Path) -> None:
    grant = resource("aws_iam_role_policy_attachment", "a", role="elsewhere", policy_arn=READ_ONLY)
    [note] = run(tmp_path, state(ANA, grant)).notes
    assert "aws_iam_role_policy_attachment.a: no file declares the role elsewhere: it is left out" in note


def test_an_organization(tmp_path: Path) -> None:
    value = state(
        resource("aws_organizations_organization", "o", id="o-example1234", master_account_id=FIRST),
        resource("aws_organizations_organizational_unit", "u", id="ou-ab12-lablablab", name="lab", parent_id="r-ab12"),
        resource("aws_organizations_account", "a", id=SECOND, name="lab", parent_id="ou-ab12-lablablab"),
        resource("aws_organizations_policy", "p", id="p-examplexx", name="p", content=TEXT),
        resource("aws_organizations_policy_attachment", "t", policy_id="p-examplexx", target_id="ou-ab12-lablablab"),
    )
    organization = read_world(run(tmp_path, value).text).organization
    assert organization is not None
    [unit], [policy] = organization.organizational_units, organization.service_control_policies
    assert (organization.management_account_id, unit.name, unit.accounts) == (FIRST, "lab", (SECOND,))
    assert policy.targets == ("lab",)


def test_an_attachment_of_a_control_policy_that_no_file_has_is_a_problem(tmp_path: Path) -> None:
    """Without its policy the sandbox would allow more than AWS. It knows FullAWSAccess."""
    organization = resource("aws_organizations_organization", "o", id="o-example1234", master_account_id=FIRST)
    of_aws = resource("aws_organizations_policy_attachment", "f", policy_id="p-FullAWSAccess", target_id=FIRST)
    other = resource("aws_organizations_policy_attachment", "t", policy_id="p-examplexx", target_id=FIRST)
    assert run(tmp_path, state(organization, of_aws)).notes == ()
    [problem] = problems(tmp_path, state(organization, of_aws, other))
    assert "describe-policy --policy-id p-examplexx, too" in problem


_JUNK = st.sampled_from([None, 0, True, "", "x", [], {}, [[]], {"a": {}}, [{"a": 1}]])


# Without shrinking: a world of two accounts shrinks for minutes.
@settings(
    phases=[Phase.generate],
    max_examples=examples(240),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_damaged_file_gives_problems_and_no_exception(data: Any, tmp_path: Path) -> None:
    role = json.loads(json.dumps(ROLE))
    grant = resource("aws_iam_role_policy_attachment", "a", role="app")
    value = plan([role, ANA, grant], {"aws_iam_role_policy_attachment.a": {"policy_arn": ["aws_iam_policy.p.arn"]}})
    value = json.loads(json.dumps(value))
    owner, key = value, data.draw(st.sampled_from(["planned_values", "configuration"]))
    while isinstance(owner[key], list | dict) and owner[key] and data.draw(st.integers(0, 6)):
        owner = owner[key]
        keys = sorted(owner) if isinstance(owner, dict) else list(range(len(owner)))
        key = data.draw(st.sampled_from(keys))
    owner[key] = data.draw(_JUNK)
    try:
        run(tmp_path, value)
    except UnimportableError as error:
        refused = error.problems
    else:
        refused = ["0.json"]
    assert refused
