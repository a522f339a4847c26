"""Rules for tables, keys and logs, and for the size of a stack."""

import re

from own.stack import GONE, listed, owner, rule, texts


@rule(
    ("bpp", "dev", "BppSlotsTable/Properties/PointInTimeRecoverySpecification", GONE, "BppSlotsTable"),
    ("bpp", "dev", "BppSlotsTable/Properties/SSESpecification/KMSMasterKeyId", GONE, "BppSlotsTable"),
    ("bap", "prod", "BapTransactionsTable/DeletionPolicy", "Delete", "BapTransactionsTable"),
    ("bap", "dev", "BapTransactionsTable/UpdateReplacePolicy", GONE, "BapTransactionsTable"),
    (
        "network",
        "prod",
        "RegistryParticipantsTable/Properties/DeletionProtectionEnabled",
        False,
        "RegistryParticipantsTable",
    ),
    (
        "network",
        "stage",
        "RegistryParticipantsTable/Properties/DeletionProtectionEnabled",
        GONE,
        "RegistryParticipantsTable",
    ),
)
def tables(stack):
    """Every table has point-in-time recovery, rests under the stack's own key, stays when its stack goes, and outside
    dev cannot be deleted."""
    for id, table in stack.all("DynamoDB::Table"):
        encryption = table.get("SSESpecification", {})
        holds = {
            "point-in-time recovery": table.get("PointInTimeRecoverySpecification", {}).get(
                "PointInTimeRecoveryEnabled"
            ),
            "the stack's key": encryption.get("SSEEnabled") and owner(encryption.get("KMSMasterKeyId")) == "Key",
            "DeletionPolicy Retain": stack.resources[id].get("DeletionPolicy") == "Retain",
            "UpdateReplacePolicy Retain": stack.resources[id].get("UpdateReplacePolicy") == "Retain",
            "deletion protection": stack.stage == "dev" or table.get("DeletionProtectionEnabled") is True,
        }
        missing = [what for what, held in holds.items() if not held]
        yield id, missing and f"lacks {', '.join(missing)}"


@rule(
    ("bpp", "dev", "Key/Properties/EnableKeyRotation", False, "Key"),
    ("bap", "dev", "Key/DeletionPolicy", GONE, "Key"),
    (
        "bap",
        "dev",
        "Key/Properties/KeyPolicy/Statement/1/Condition/StringEquals/kms:ViaService",
        ["sqs", "dynamodb"],
        "Key",
    ),
)
def keys(stack):
    """Every key rotates, stays when its stack goes, and serves through those services alone whose data rests under
    it."""
    kinds = {"dynamodb": "DynamoDB::Table", "sqs": "SQS::Queue"}
    used = {service for service, kind in kinds.items() if any(stack.all(kind))}
    for id, key in stack.all("KMS::Key"):
        retained = all(stack.resources[id].get(it) == "Retain" for it in ("DeletionPolicy", "UpdateReplacePolicy"))
        services = {
            re.split(r"\.", text)[0]
            for statement in key["KeyPolicy"]["Statement"]
            for text in texts(listed(statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")))
            if not text.startswith("Fn::")
        }
        if not (key.get("EnableKeyRotation") and retained):
            yield id, "does not rotate, or goes when its stack goes"
        else:
            yield id, services != used and f"serves through {sorted(services)}, expected {sorted(used)}"


@rule(
    ("bpp", "dev", "BppSelectLogGroup/Properties/RetentionInDays", GONE, "BppSelectLogGroup"),
    ("bap", "prod", "BapApiLogGroup/Properties/KmsKeyId", GONE, "BapApiLogGroup"),
)
def log_groups(stack):
    """Every log group keeps logs for a number of days and rests under the stack's own key."""
    for id, group in stack.all("Logs::LogGroup"):
        sound = isinstance(group.get("RetentionInDays"), int) and owner(group.get("KmsKeyId")) == "Key"
        yield id, not sound and "has no retention or does not rest under Key"


@rule(
    ("bpp", "dev", "BppSelectFunction/Properties/LoggingConfig", GONE, "BppSelectFunction"),
    ("bpp", "dev", "BppSelectFunction/Properties/LoggingConfig/LogGroup/Ref", "BppInitLogGroup", "BppSelectFunction"),
    ("bpp", "dev", "BppSelectFunction/Properties/LoggingConfig/LogFormat", "Text", "BppSelectFunction"),
)
def own_logs(stack):
    """Every function writes JSON to a log group that no other function has."""
    groups = [owner(it.get("LoggingConfig", {}).get("LogGroup")) for _, it in stack.all("Lambda::Function")]
    for id, function in stack.all("Lambda::Function"):
        logging = function.get("LoggingConfig", {})
        group = owner(logging.get("LogGroup"))
        sound = group in stack.resources and groups.count(group) == 1 and logging.get("LogFormat") == "JSON"
        yield id, not sound and f"writes to {group} as {logging.get('LogFormat')}"


@rule(("bpp", "dev", "", {f"Parameter{it}": {"Type": "AWS::SSM::Parameter"} for it in range(400)}, "bpp"))
def size(stack):
    """Every stack has fewer than 400 resources; CloudFormation takes 500."""
    count = len(stack.resources)
    yield stack.name, count >= 400 and f"has {count} resources"
