"""Rules for queues and for what takes from queues and streams."""

from own.stack import GONE, owner, rule

FOURTEEN_DAYS = 14 * 24 * 60 * 60


@rule(
    ("bpp", "dev", "BppOnSearchQueue/Properties/VisibilityTimeout", 179, "BppOnSearchQueue"),
    ("bpp", "dev", "BppOnSearchQueue/Properties/VisibilityTimeout", GONE, "BppOnSearchQueue"),
    ("network", "prod", "GatewayBroadcastFunction/Properties/Timeout", 31, "GatewayBroadcastQueue"),
)
def visibility(stack):
    """A queue hides a message for at least six times as long as the function that takes it may run."""
    for _, kind, source, function, _ in stack.mappings:
        if kind == "queue":
            hidden = stack.resources[source]["Properties"].get("VisibilityTimeout", 30)
            least = 6 * stack.resources[function]["Properties"].get("Timeout", 3)
            yield source, hidden < least and f"hides for {hidden} s, expected {least} s or more for {function}"


@rule(
    ("bpp", "dev", "BppOnSearchQueue/Properties/RedrivePolicy", GONE, "BppOnSearchQueue"),
    ("bpp", "dev", "BppIndexFunctionCatalogue/Properties/DestinationConfig", GONE, "BppIndexDlq"),
)
def dead_letters(stack):
    """Every queue has a dead-letter queue, or is one."""
    for id, queue in stack.all("SQS::Queue"):
        redriven = owner(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")) in stack.resources
        yield id, not redriven and id not in stack.dead_letter_queues and "has no dead-letter queue and is none"


@rule(
    ("bpp", "dev", "BppExpireDlq/Properties/MessageRetentionPeriod", 345600, "BppExpireDlq"),
    ("bpp", "prod", "BppOnInitDlqAlarm", GONE, "BppOnInitDlq"),
    ("bpp", "dev", "BppOnInitDlqAlarm/Properties/Threshold", 1, "BppOnInitDlq"),
    ("network", "dev", "GatewayBroadcastDlqAlarm/Properties/MetricName", "NumberOfMessagesSent", "GatewayBroadcastDlq"),
)
def dead_letters_kept(stack):
    """Every dead-letter queue keeps messages for 14 days and has an alarm on the first one."""
    for id in sorted(stack.dead_letter_queues):
        kept = stack.resources[id]["Properties"].get("MessageRetentionPeriod")
        if kept != FOURTEEN_DAYS:
            yield id, f"keeps messages for {kept} s, expected {FOURTEEN_DAYS} s"
        elif not stack.alarmed("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", id, 0):
            yield id, "has no alarm on its first message"
        else:
            yield id, None


@rule(
    ("bpp", "dev", "BppCallbacksAgeAlarm", GONE, "BppCallbacksQueue"),
    ("bpp", "dev", "BppOnInitAgeAlarm/Properties/Dimensions/0/Value/Fn::GetAtt/0", "BppOnInitDlq", "BppOnInitQueue"),
    ("bpp", "prod", "BppExpireAgeAlarm/Properties/MetricName", "Duration", "BppExpireFunctionSlots"),
)
def oldest_message(stack):
    """Every queue and stream that a function takes from has an alarm on the age of its oldest message."""
    for id, kind, source, function, _ in stack.mappings:
        if kind == "queue":
            watched = stack.alarmed("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", source)
            yield source, not watched and "has no alarm on the age of its oldest message"
        else:
            watched = stack.alarmed("AWS/Lambda", "IteratorAge", "FunctionName", function)
            yield id, not watched and f"{function} has no alarm on IteratorAge"


@rule(
    ("bpp", "dev", "BppOnSelectFunctionQueue/Properties/FunctionResponseTypes", GONE, "BppOnSelectFunctionQueue"),
    ("bpp", "dev", "BppOnSelectFunctionQueue/Properties/ScalingConfig", GONE, "BppOnSelectFunctionQueue"),
    (
        "network",
        "prod",
        "GatewayBroadcastFunctionQueue/Properties/FunctionResponseTypes",
        [],
        "GatewayBroadcastFunctionQueue",
    ),
)
def partial_failures(stack):
    """Every mapping of a queue reports the messages that failed and has a limit of its own on concurrency."""
    for id, kind, _, _, mapping in stack.mappings:
        if kind != "queue":
            continue
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield id, "does not report partial failures (ReportBatchItemFailures)"
        else:
            limit = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
            yield id, not isinstance(limit, int) and "has no MaximumConcurrency"


@rule(
    (
        "bpp",
        "dev",
        "BppIndexFunctionCatalogue/Properties/BisectBatchOnFunctionError",
        False,
        "BppIndexFunctionCatalogue",
    ),
    ("bpp", "dev", "BppExpireFunctionSlots/Properties/MaximumRetryAttempts", GONE, "BppExpireFunctionSlots"),
    ("bpp", "prod", "BppExpireFunctionSlots/Properties/DestinationConfig", GONE, "BppExpireFunctionSlots"),
)
def streams_go_on(stack):
    """Every mapping of a stream halves a batch that fails, gives it up after some retries and notes it on a queue."""
    for id, kind, _, _, mapping in stack.mappings:
        if kind == "stream":
            noted = owner(mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
            ends = mapping.get("MaximumRetryAttempts", -1) > 0 and mapping.get("BisectBatchOnFunctionError")
            yield id, not (ends and noted in stack.resources) and "one batch that fails holds it up until it lapses"


@rule(
    ("bpp", "dev", "BppOnTrackDlq/Properties/KmsMasterKeyId", GONE, "BppOnTrackDlq"),
    ("bpp", "dev", "QueuePolicy/Properties/Queues/3", GONE, "BppOnSelectDlq"),
    ("network", "dev", "QueuePolicy/Properties/PolicyDocument/Statement/0/Condition", GONE, "GatewayBroadcastQueue"),
)
def queues_closed(stack):
    """Every queue rests under the stack's own key and is spoken to over TLS alone."""
    protected = set()
    for _, policy in stack.all("SQS::QueuePolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            over_tls = statement.get("Condition") == {"Bool": {"aws:SecureTransport": False}}
            if statement["Effect"] == "Deny" and over_tls:
                protected |= {owner(it) for it in policy["Queues"]}
    for id, queue in stack.all("SQS::Queue"):
        if owner(queue.get("KmsMasterKeyId")) != "Key":
            yield id, "does not rest under Key"
        else:
            yield id, id not in protected and "QueuePolicy does not deny to speak to it in the clear"
