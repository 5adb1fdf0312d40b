"""The rules that IAM checks when a well-formed document is saved, in IAM's order and with IAM's messages.

The order was recorded from AWS: version, effects and dates, the shape of resources, statement ids, missing actions,
missing resources, wrong resources, wrong actions.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from rolecall.arns import PARTITION, parse_arn
from rolecall.policy.document import (
    VERSION_WITH_VARIABLES,
    Condition,
    MalformedPolicy,
    Policy,
    PolicyKind,
    Principals,
    Statement,
)
from rolecall.policy.operators import base_operator
from rolecall.policy.values import address_range, binary, date_seconds

SYNTAX_ERRORS = "Syntax errors in policy."
INVALID_JSON = "This policy contains invalid Json"
LEGACY_PARSING = "The policy failed legacy parsing"
WRONG_VERSION = "Policy document must be version 2012-10-17 or greater."
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."
REPEATED_SID = "Statement IDs (SID) in a single policy must be unique."
WRONG_SID = (
    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
)
WITH_PRINCIPAL = "Policy document should not specify a principal."
WITHOUT_PRINCIPAL = "Missing required field Principal"
# Recorded from CreateRole, for a list without entries and for a star that is not {"AWS": "*"}.
NO_PRINCIPALS_IN_TRUST = (
    "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: "
    "The passed in policy has a statement with no principals!"
)
STAR_IN_TRUST = 'AssumeRolepolicy contained an invalid principal: "STAR":"*".'
# Recorded from CreateRole; for other kinds of policy IAM reports syntax errors.
WRONG_OPERATOR_IN_TRUST = "Invalid Condition type : {operator}"
# AWS does not document its wording of this refusal.
NOT_PRINCIPAL_IN_TRUST = "AssumeRole policy must not contain NotPrincipal field."
NO_TRUST_ACTION = "AssumeRole policy may only specify STS AssumeRole actions."
NO_COGNITO_CONDITION = "A condition block must be present for the Cognito provider"
ACTION_VENDOR_WITH_WILDCARD = "Action vendors (e.g., aws, ec2, etc.) must not contain wildcards."
# Organizations has one sentence for all of these. The words come from its user guide and Access Analyzer's checks.
RCP_ALLOW = "The effect of Allow is only supported for the RCPFullAWSAccess policy"
RCP_PRINCIPAL = (
    'RCPs only support specifying all principals ("*") in the Principal element. '
    "The NotPrincipal element is not supported for RCPs."
)
RCP_NOT_ACTION = "RCPs do not support the NotAction element. Update to use the Action element."
RCP_STAR_ACTION = 'You cannot use "*" in the Action element of a customer managed RCP'
ACTION_WITHOUT_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
ACTION_WITH_COLONS = "Actions/Condition can contain only one colon."
VENDOR_WITH_WILDCARD = "Resource vendor must be fully qualified and cannot contain regexes."
_IAM_PATHS = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
# Seen for an empty text and for a text that is no provider's ARN (terraform-aws-eks #2594, #2939,
# terraform-aws-iam #202).
WRONG_FEDERATED = "Federated principals must be valid domain names or SAML metadata ARNs"
WRONG_IAM_PATH = f'IAM resource path must either be "*", root, or start with {", ".join(_IAM_PATHS)}.'

# From the Service Authorization Reference. The sentence above was recorded before AWS had these paths.
# AWS's own service role policies name role templates.
_NEWER_IAM_PATHS = ("delegation-request/", "role-template/")

# The principal of these kinds is the user, group, role, session or account that the policy is attached to.
KINDS_WITHOUT_PRINCIPAL = frozenset(
    {PolicyKind.IDENTITY, PolicyKind.SESSION, PolicyKind.SCOPE_DOWN, PolicyKind.BOUNDARY, PolicyKind.SCP}
)
# Recorded for managed policies. Inline policies may have the old version or none: SAM makes such ones, and
# the IAM User Guide gives the version that a policy without a version has. AWS does not document whether STS requires
# it for session policies.
_KINDS_OF_CURRENT_VERSION = frozenset({PolicyKind.IDENTITY, PolicyKind.BOUNDARY, PolicyKind.SCP, PolicyKind.RCP})
_PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"})
# Recorded from UpdateAssumeRolePolicy in September 2026: these names and no wildcards, not even sts:*. Case does not
# count: "The prefix and the action name are case insensitive" (IAM User Guide, Action).
_TRUST_ACTIONS = frozenset(
    {
        "sts:assumerole",
        "sts:assumerolewithsaml",
        "sts:assumerolewithwebidentity",
        "sts:tagsession",
        "sts:setsourceidentity",
        "sts:setcontext",
    }
)
_COGNITO = "cognito-identity.amazonaws.com"
# The resource types of S3 whose ARNs have a Region (Service Authorization Reference, Amazon S3).
_S3_TYPES_OF_REGIONS = frozenset(
    {"accesspoint", "access-grants", "async-request", "job", "storage-lens", "storage-lens-group"}
)
_VENDOR_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
# IAM knows every service by name. AWS publishes no list, but the names of this partition all end like this.
_SERVICE_DOMAINS = (".amazonaws.com", ".amazon.com", ".aws.internal")
_UNIQUE_ID_PREFIXES = ("AIDA", "AROA")
_ACCOUNT_ID_CHARACTERS = 12
_ARN_COLONS = 5


def validate(policy: Policy, effects: Sequence[str], *, is_inline: bool = False) -> None:
    """Raise MalformedPolicy for the first rule that a document breaks; ``effects`` are spelled as they were written."""
    statements = policy.statements
    for statement in statements:
        _check_binaries(statement)
    needs_current_version = policy.kind in _KINDS_OF_CURRENT_VERSION and not is_inline
    if needs_current_version and policy.version != VERSION_WITH_VARIABLES:
        raise MalformedPolicy(WRONG_VERSION, "Version")
    for statement in statements:
        _check_presence(statement, policy.kind)
    for statement, effect in zip(statements, effects, strict=True):
        if effect not in ("Allow", "Deny"):
            raise MalformedPolicy(LEGACY_PARSING, _pointer(statement, "Effect"))
        _check_values(statement)
    wrong_resource = _judge_resources(statements)
    _check_sids(policy)
    for statement in statements:
        if not statement.actions:
            raise MalformedPolicy(NO_ACTIONS, _pointer(statement))
    _check_resources_present(policy)
    if wrong_resource is not None:
        raise wrong_resource
    for statement in statements:
        for action in statement.actions:
            _check_action(action, policy.kind, _pointer(statement, "Action"))
        if statement.principals is not None:
            pointer = _pointer(statement, "Principal")
            if policy.kind is PolicyKind.TRUST and statement.principals.written_as_star:
                raise MalformedPolicy(STAR_IN_TRUST, pointer)
            _check_principals(statement.principals, pointer)
            of_cognito = policy.kind is PolicyKind.TRUST and _COGNITO in statement.principals.federated
            if of_cognito and not statement.conditions:
                raise MalformedPolicy(NO_COGNITO_CONDITION, _pointer(statement))


def trusted_principals(policy: Policy) -> list[str]:
    """The AWS principals that a policy names, as written, once each, without ``*``. Saving it needs them to exist."""
    found: dict[str, None] = {}
    for statement in policy.statements:
        if statement.principals is not None:
            found.update(dict.fromkeys(name for name in statement.principals.aws if name != "*"))
    return list(found)


def _pointer(statement: Statement, element: str = "") -> str:
    return f"Statement[{statement.index}].{element}" if element else f"Statement[{statement.index}]"


def _check_presence(statement: Statement, kind: PolicyKind) -> None:
    """Which elements a kind of policy must have and must not have."""
    if kind in KINDS_WITHOUT_PRINCIPAL:
        if statement.principals is not None:
            raise MalformedPolicy(WITH_PRINCIPAL, _pointer(statement, "Principal"))
        return
    if kind is PolicyKind.TRUST:
        if statement.resources is not None:
            name = "NotResource" if statement.resources_negated else "Resource"
            raise MalformedPolicy(f"Has prohibited field {name}", _pointer(statement, name))
        if statement.principals_negated:
            raise MalformedPolicy(NOT_PRINCIPAL_IN_TRUST, _pointer(statement, "NotPrincipal"))
    principals = statement.principals
    if kind is PolicyKind.TRUST and principals == Principals():
        raise MalformedPolicy(NO_PRINCIPALS_IN_TRUST, _pointer(statement, "Principal"))
    if principals is None or principals == Principals():
        raise MalformedPolicy(WITHOUT_PRINCIPAL, _pointer(statement, "Principal"))
    if kind is PolicyKind.RCP:
        _check_resource_control(statement)


def _check_resource_control(statement: Statement) -> None:
    """The rules of Organizations User Guide, RCP syntax. RCPFullAWSAccess is AWS's own and is never checked."""
    if statement.principals != Principals(aws=("*",)) or statement.principals_negated:
        name = "NotPrincipal" if statement.principals_negated else "Principal"
        raise MalformedPolicy(RCP_PRINCIPAL, _pointer(statement, name))
    if statement.effect == "Allow":
        raise MalformedPolicy(RCP_ALLOW, _pointer(statement, "Effect"))
    if statement.actions_negated:
        raise MalformedPolicy(RCP_NOT_ACTION, _pointer(statement, "NotAction"))
    if "*" in statement.actions:
        raise MalformedPolicy(RCP_STAR_ACTION, _pointer(statement, "Action"))


def _check_binaries(statement: Statement) -> None:
    for condition in statement.conditions:
        if base_operator(condition.operator).startswith("Binary"):
            for value in condition.values:
                if not _is_base64(value):
                    raise MalformedPolicy(SYNTAX_ERRORS, _of_condition(statement, condition))


def _is_base64(text: str) -> bool:
    # Python accepts padding that is not needed.
    decoded = binary(text)
    return decoded is not None and base64.b64encode(decoded).decode() == text


def _check_values(statement: Statement) -> None:
    """Refuses values of another type than their operator's. Recorded from PutRolePolicy in September 2026."""
    for condition in statement.conditions:
        base = base_operator(condition.operator)
        for family, means in _VALUES_BY_FAMILY.items():
            if base.startswith(family) and any(means(value) is None for value in condition.values):
                raise MalformedPolicy(LEGACY_PARSING, _of_condition(statement, condition))


def _of_condition(statement: Statement, condition: Condition) -> str:
    return _pointer(statement, f"Condition.{condition.operator}")


def _arn_pattern(text: str) -> str | None:
    """The text when it is a star, or has six parts with ``arn`` first. A variable on its own is refused."""
    return text if text == "*" or (text.startswith("arn:") and text.count(":") >= _ARN_COLONS) else None


# A number of any size, also one too large to compare.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

_VALUES_BY_FAMILY: Mapping[str, Callable[[str], object]] = {
    "Date": date_seconds,
    "Numeric": _NUMBER.fullmatch,
    "IpAddress": address_range,
    "NotIpAddress": address_range,
    "Arn": _arn_pattern,
}


def _judge_resources(statements: Sequence[Statement]) -> MalformedPolicy | None:
    """The error of the first wrong resource, to be raised later. Raises where AWS's older parser already refuses."""
    first: MalformedPolicy | None = None
    for statement in statements:
        for resource in statement.resources or ():
            pointer = _pointer(statement, "NotResource" if statement.resources_negated else "Resource")
            message = _resource_message(resource)
            if message:
                first = first or MalformedPolicy(message, pointer)
            elif resource != "*" and (resource.split(":")[2] == "" or (resource.count(":") < 5 and "::" in resource)):
                raise MalformedPolicy(LEGACY_PARSING, pointer)
    return first


def _resource_message(resource: str) -> str:
    """IAM's message about a resource that is neither ``*`` nor an ARN pattern; empty for a valid one."""
    if resource == "*":
        return ""
    parts = resource.split(":", 5)
    if len(parts) == 1:
        return f'Resource {resource} must be in ARN format or "*".'
    partition = parts[1]
    if partition not in _PARTITIONS and not _has_wildcard(partition):
        padded = ":".join(["arn", *parts[1:], *["*"] * (6 - len(parts))])
        return f'Partition "{partition}" is not valid for resource "{padded}".'
    if len(parts) == 2 or _has_wildcard(parts[2]):
        return VENDOR_WITH_WILDCARD
    if parts[0] != "arn":
        return f'Resource {resource} must be in ARN format or "*".'
    whole = [*parts, *["*"] * (6 - len(parts))]
    service, region, account, path = whole[2:]
    padded = ":".join(whole)
    if (service == "route53" and region) or (service == "s3" and _is_bucket_in_region(parts)):
        return f"Resource {padded} can not contain region information."
    if service == "s3" and not region and _is_account_id(account) and path.partition("/")[0] != "accesspoint":
        return f"Resource {padded} cannot contain an account id."
    if service == "iam" and len(parts) == 6:
        if region:
            return f"IAM resource {resource} cannot contain region information."
        if path not in ("*", "root") and not path.startswith(_IAM_PATHS + _NEWER_IAM_PATHS):
            return WRONG_IAM_PATH
    return ""


def _is_bucket_in_region(parts: Sequence[str]) -> bool:
    """Whether an ARN of S3 names a bucket together with a Region. Access points and some other types have a Region."""
    region, account, path = [*parts[3:], "", ""][:3]
    if not region or not account:
        return bool(region) and (len(parts) == 6 or not _has_wildcard(region))
    kind = path.partition("/")[0]
    return not _has_wildcard(region + kind) and kind not in _S3_TYPES_OF_REGIONS


def _has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def _check_sids(policy: Policy) -> None:
    seen: set[str] = set()
    for statement in policy.statements:
        sid = statement.sid
        if sid and policy.kind is not PolicyKind.RESOURCE and not (sid.isascii() and sid.isalnum()):
            raise MalformedPolicy(WRONG_SID, _pointer(statement, "Sid"))
        if sid and sid in seen:
            raise MalformedPolicy(REPEATED_SID, _pointer(statement, "Sid"))
        seen.add(sid)


def _check_resources_present(policy: Policy) -> None:
    # Resource-based policies of some services have no Resource: it is the resource that they are attached to.
    if policy.kind in (PolicyKind.TRUST, PolicyKind.RESOURCE):
        return
    for statement in policy.statements:
        if not statement.resources:
            raise MalformedPolicy(NO_RESOURCES, _pointer(statement))


def _check_action(action: str, kind: PolicyKind, pointer: str) -> None:
    vendor, colon, rest = action.partition(":")
    if action != "*":
        if not colon:
            raise MalformedPolicy(ACTION_WITHOUT_VENDOR, pointer)
        if ":" in rest:
            raise MalformedPolicy(ACTION_WITH_COLONS, pointer)
        if _has_wildcard(vendor):
            raise MalformedPolicy(ACTION_VENDOR_WITH_WILDCARD, pointer)
        if not vendor or not _VENDOR_CHARACTERS.issuperset(vendor):
            raise MalformedPolicy(f"Vendor {vendor} is not valid", pointer)
    if kind is PolicyKind.TRUST and action.lower() not in _TRUST_ACTIONS:
        raise MalformedPolicy(NO_TRUST_ACTION, pointer)


def _check_principals(principals: Principals, pointer: str) -> None:
    for name, written in _wrong_principals(principals):
        raise MalformedPolicy(f'Invalid principal in policy: "{name}":"{written}"', pointer)
    if not all(map(_is_federated_principal, principals.federated)):
        raise MalformedPolicy(WRONG_FEDERATED, pointer)


def _wrong_principals(principals: Principals) -> Iterator[tuple[str, str]]:
    for name in principals.aws:
        if not _is_aws_principal(name):
            yield "AWS", name
    for name in principals.services:
        if not name.endswith(_SERVICE_DOMAINS) or not _VENDOR_CHARACTERS.issuperset(name):
            yield "SERVICE", name


def _is_account_id(text: str) -> bool:
    return len(text) == _ACCOUNT_ID_CHARACTERS and text.isascii() and text.isdigit()


def _is_aws_principal(name: str) -> bool:
    """``*``, an account, the ARN of a root, user, role or session, or a unique id (IAM User Guide, Principal).

    Accounts of other partitions are other accounts, even under the same number, and cannot be named.
    """
    if name == "*" or _is_account_id(name):
        return True
    if name.startswith(_UNIQUE_ID_PREFIXES):
        return name.isascii() and name.isalnum()
    arn = parse_arn(name)
    if arn is None or arn.partition != PARTITION or arn.region or _has_wildcard(name):
        return False
    if not _is_account_id(arn.account_id):
        return False
    if arn.service == "iam":
        return arn.resource == "root" or (arn.resource_type in ("user", "role") and bool(arn.resource_name))
    parts = arn.resource.split("/")
    if arn.service == "sts":
        return all(parts) and (parts[0], len(parts)) in (("assumed-role", 3), ("federated-user", 2))
    return False


def _is_federated_principal(name: str) -> bool:
    arn = parse_arn(name)
    if arn is not None:
        return (
            arn.service == "iam"
            and arn.partition == PARTITION
            and not arn.region
            and _is_account_id(arn.account_id)
            and arn.resource_type in ("oidc-provider", "saml-provider")
            # The whole rest counts, because a provider's name is its URL, which may end in a slash.
            and len(arn.resource) > len(arn.resource_type) + 1
            and not _has_wildcard(name)
        )
    return "." in name and ":" not in name and not _has_wildcard(name) and " " not in name
