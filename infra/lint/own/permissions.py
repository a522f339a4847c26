"""Rules for roles, policies and secrets.

What a function may do to which table and queue is not held here but in tests/drift, against the `FUNCTION` constants,
which only Rust can read. Here is what keeps that comparison honest: SAM adds nothing to what the templates grant
(`managed_policies`), nothing is granted by a pattern (`no_wildcards`), no two functions share a role (`own_role`).
"""

import re

from own.stack import GONE, listed, owner, rule, texts


@rule(
    ("bpp", "dev", "BppDispatchFunction/Properties/Role/Fn::GetAtt/0", "BppIndexFunctionRole", "BppDispatchFunction"),
    (
        "bap",
        "dev",
        "BapRatingFunctionRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service",
        ["ec2.amazonaws.com"],
        "BapRatingFunction",
    ),
)
def own_role(stack):
    """Every function has a role that no other function has and that Lambda alone may assume."""
    functions = list(stack.all("Lambda::Function"))
    roles = [owner(function["Role"]) for _, function in functions]
    for id, function in functions:
        role = owner(function["Role"])
        if role not in stack.resources or roles.count(role) != 1:
            yield id, f"has no role of its own: {role}"
            continue
        trust = stack.resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        trusted = [it for statement in trust for it in listed(statement["Principal"].get("Service"))]
        yield id, trusted != ["lambda.amazonaws.com"] and f"{role} may be assumed by {trusted}"


# A wildcard in an Allow that stays, by the type of the resource that bears the statement: which ones, and why.
WILDCARDS = {
    "AWS::KMS::Key": (
        "the policy of a key can only speak of that key, which it must call `*`; `kms:*` is the account's own "
        "administrators, without whom nobody could change the policy, and KMS names families of one call by `*`",
        lambda pattern: pattern == "*" or pattern.startswith("kms:"),
    ),
}


@rule(
    (
        "bpp",
        "dev",
        "BppOnInitFunctionRole/Properties/Policies/0/PolicyDocument/Statement/2/Resource",
        "*",
        "BppOnInitFunctionRole statement 3",
    ),
    (
        "bpp",
        "dev",
        "BppOnInitFunctionRole/Properties/Policies/0/PolicyDocument/Statement/2/Action",
        "dynamodb:*",
        "BppOnInitFunctionRole statement 3",
    ),
    (
        "bap",
        "prod",
        "BapSearchFunctionRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource",
        {"Fn::Sub": "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"},
        "BapSearchFunctionRole statement 1",
    ),
    (
        "bpp",
        "dev",
        "BppOnInitFunctionRole/Properties/Policies/0/PolicyDocument/Statement/1/Effect",
        "Allow",
        "BppOnInitFunctionRole statement 2",
    ),
    ("bpp", "dev", "QueuePolicy/Properties/PolicyDocument/Statement/0/Effect", "Allow", "QueuePolicy statement 1"),
)
def no_wildcards(stack):
    """No statement allows an action or a resource by a pattern, or all but something; a denial may, it takes away."""
    counts = {}
    for id, statement in stack.statements:
        counts[id] = counts.get(id, 0) + 1
        name = f"{id} statement {counts[id]}"
        if statement["Effect"] != "Allow":
            yield name, None
            continue
        _, excused = WILDCARDS.get(stack.resources[id]["Type"], ("", lambda pattern: False))
        named = [*texts(statement.get("Action")), *texts(statement.get("Resource"))]
        wild = [text for text in named if "*" in text and not excused(text)]
        wild += [it for it in ("NotAction", "NotResource", "NotPrincipal") if it in statement]
        incomplete = not {"Action", "Resource"} <= statement.keys() and "names no action or no resource"
        yield name, wild and f"allows by {', '.join(wild)}" or incomplete


# The managed policies that SAM attaches, each with the reason why it may stay. For one that may read the queues or
# streams of all, the calls that the role must deny itself everywhere but at its own.
QUEUE_CALLS = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}
STREAM_CALLS = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
MANAGED = {
    "service-role/AWSLambdaBasicExecutionRole": ("can only write logs, which no function can read", None),
    "AWSXrayWriteOnlyAccess": ("writes traces, which cannot be limited to a resource", None),
    "service-role/AWSLambdaSQSQueueExecutionRole": (
        "takes from any queue, so the role denies itself the others",
        QUEUE_CALLS,
    ),
    "service-role/AWSLambdaDynamoDBExecutionRole": (
        "reads any stream, so the role denies itself the others",
        STREAM_CALLS,
    ),
    "service-role/AWSCodeDeployRoleForLambda": ("is CodeDeploy's, kept in step with it by AWS", None),
}


@rule(
    (
        "bpp",
        "dev",
        "BppOnInitFunctionRole/Properties/ManagedPolicyArns/0",
        "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess",
        "BppOnInitFunctionRole",
    ),
    (
        "bpp",
        "dev",
        "BppOnInitFunctionRole/Properties/Policies/0/PolicyDocument/Statement/1",
        GONE,
        "BppOnInitFunctionRole",
    ),
    (
        "bpp",
        "prod",
        "BppExpireFunctionRole/Properties/Policies/0/PolicyDocument/Statement/0/NotResource/Fn::GetAtt/0",
        "BppOrdersTable",
        "BppExpireFunctionRole",
    ),
)
def managed_policies(stack):
    """A role has no managed policy but those SAM attaches; one that reaches any queue or stream denies itself all but
    its own."""
    own = {function: (source, kind) for _, kind, source, function, _ in stack.mappings}
    functions = {owner(function["Role"]): id for id, function in stack.all("Lambda::Function")}
    for id, role in stack.all("IAM::Role"):
        problem = None
        for arn in role.get("ManagedPolicyArns", []):
            name = arn.split(":policy/")[-1]
            _, calls = MANAGED.get(name, (None, None))
            if name not in MANAGED:
                problem = f"has the managed policy {name}"
            elif calls is not None:
                source, _ = own.get(functions.get(id), (None, None))
                denied = any(
                    statement["Effect"] == "Deny"
                    and calls <= set(listed(statement["Action"]))
                    and owner(statement.get("NotResource")) == source
                    for policy in role.get("Policies", [])
                    for statement in policy["PolicyDocument"]["Statement"]
                )
                if source is None or not denied:
                    problem = f"{name} is not denied to it beyond {source}"
        yield id, problem


@rule(
    (
        "bpp",
        "dev",
        "BppIndexFunction/Properties/Environment/Variables/SIGNING_KEY_SECRET",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:signing-key-AbCdEf",
        "BppIndexFunction",
    ),
    ("bpp", "dev", "BppSearchFunction/Properties/Environment/Variables/SIGNING_KEY_SECRET", "", "BppSearchFunction"),
    (
        "bap",
        "dev",
        "BapSearchFunctionRole/Properties/Policies/0/PolicyDocument/Statement/1/Resource",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:another-AbCdEf",
        "BapSearchFunction",
    ),
)
def signing_key(stack):
    """A function may read the one secret its environment names, and none if it names none."""
    for id, function in stack.all("Lambda::Function"):
        named = function["Environment"]["Variables"].get("SIGNING_KEY_SECRET")
        role = owner(function["Role"])
        readable = [
            it
            for bearer, statement in stack.statements
            if bearer == role and "secretsmanager:GetSecretValue" in listed(statement.get("Action"))
            for it in listed(statement["Resource"])
        ]
        yield id, readable != [it for it in [named] if it] and f"names {named!r} and may read {readable}"


# A private key in any of its usual clothes, an access key of AWS, and a reference that would copy a secret into a
# function.
SECRETS = re.compile(
    r"-----BEGIN|\b(AKIA|ASIA)[A-Z0-9]{16}\b|\{\{resolve:(secretsmanager|ssm-secure)|"
    r"(?<![A-Za-z0-9+/=])([A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==|[0-9a-fA-F]{64})(?![A-Za-z0-9+/=])"
)
SECRET_NAME = re.compile("SECRET|PASSWORD|TOKEN|PRIVATE|CREDENTIAL", re.IGNORECASE)


@rule(
    ("bpp", "dev", "BppSearchFunction/Properties/Environment/Variables/KEY_ID", "x" * 43 + "=", "bpp"),
    ("bap", "dev", "BapSearchFunction/Properties/Environment/Variables/SIGNING_KEY_SECRET", "hunter2", "bap"),
    ("bap", "dev", "BapSearchFunction/Properties/Description", "{{resolve:secretsmanager:signing-key}}", "bap"),
    ("network", "prod", "Key", {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "x"}}, "network"),
)
def no_secrets(stack):
    """No template holds a secret: each is made outside and named by its ARN."""
    problem = next(
        (f"holds {it[:12]}..." for it in [*texts(stack.resources), *stack.source] if SECRETS.search(it)), None
    )
    for id, function in stack.all("Lambda::Function"):
        for name, value in function["Environment"]["Variables"].items():
            arn = isinstance(value, str) and re.match("arn:[^:]*:secretsmanager:", value)
            if SECRET_NAME.search(name) and value != "" and not arn:
                problem = f"{id}: the variable {name} holds no ARN"
    for id, _ in stack.all("SecretsManager::Secret"):
        problem = f"{id} makes a secret"
    yield stack.name, problem
