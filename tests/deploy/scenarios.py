"""What is proved on the deployment, one function each; each returns a few words on what it saw."""

import datetime
import json
import threading

import stacks
from app import check_signature, expect, wait_until

UTC = datetime.timezone.utc


def a_forged_message_is_refused(deployment):
    """A forged message is refused by the deployed functions"""
    body = json.dumps({"context": {"action": "status"}, "message": {"order_id": "x"}}).encode()
    status, answer = deployment.app.call("/bpp/status", body)
    expect(status == 401, f"unsigned: expected 401, found {status} {answer}")
    forged = (
        'Signature keyId="bap.deploy.example|bap-key-1|ed25519",algorithm="ed25519",created="{0}",expires="{1}",'
        'headers="(created) (expires) digest",signature="{2}"'
    )
    now = int(datetime.datetime.now(UTC).timestamp())
    header = forged.format(now, now + 60, "A" * 86 + "==")
    status, answer = deployment.app.call("/bpp/status", body, {"authorization": header})
    expect(status == 401, f"forged: expected 401, found {status} {answer}")
    expect(answer["message"]["ack"]["status"] == "NACK", f"expected a NACK, found {answer}")
    return "401 and NACK, unsigned and forged"


def a_consultation_is_booked(deployment):
    """A consultation is booked through BAP, gateway, registry and BPP, every message really signed"""
    app, front = deployment.app, deployment.front
    transaction_id, found = app.search()
    order = app.order(found)
    context = {"transaction_id": transaction_id, "bpp_id": found["context"]["bpp_id"]}
    _, message_id = app.send("select", context, {"order": order})
    quoted = app.callback(transaction_id, "on_select", message_id)["message"]["order"]["quote"]
    lines = sum(float(line["price"]["value"]) for line in quoted["breakup"])
    expect(abs(lines - float(quoted["price"]["value"])) < 0.005, f"the quote does not add up: {quoted}")
    context, held = app.hold(transaction_id, found, order)
    expect(held["fulfillments"][0]["state"]["descriptor"]["code"] == "slot-booked", f"not held: {held}")
    _, message_id = app.send("confirm", context, {"order": {**order, "id": held["id"]}})
    confirmed = app.callback(transaction_id, "on_confirm", message_id)["message"]["order"]
    expect(confirmed["status"] == "ACTIVE", f"expected an ACTIVE order, found {confirmed.get('status')}")
    _, message_id = app.send("status", context, {"order_id": held["id"]})
    status = app.callback(transaction_id, "on_status", message_id)["message"]["order"]
    expect(status["fulfillments"][0]["state"]["descriptor"]["code"] == "slot-confirmed", f"status: {status}")

    checked = 0
    for path, role, header in [
        ("/gateway/search", "bap", "Authorization"),
        ("/bpp/search", "bap", "Authorization"),
        ("/bpp/search", "gateway", "X-Gateway-Authorization"),
        ("/bap/on_search", "bpp", "Authorization"),
        ("/bpp/confirm", "bap", "Authorization"),
        ("/bap/on_confirm", "bpp", "Authorization"),
    ]:
        requests = [it for it in front.requests(path) if transaction_id.encode() in it.body]
        expect(requests, f"nothing of the transaction came to {path}")
        headers = {name.lower(): value for name, value in requests[0].headers.items()}
        key = deployment.keys[role]
        signer = check_signature(headers[header.lower()], requests[0].body, key["signing_public_key"])
        expect(signer == key["subscriber_id"], f"{path}: signed by {signer}, expected {key['subscriber_id']}")
        checked += 1
    same = [it.body for path in ("/gateway/search", "/bpp/search") for it in front.requests(path)][:2]
    expect(same[0] == same[1], "the gateway changed the bytes of the search")
    return f"order {held['id']}, {checked} signatures checked by other code"


def a_hold_that_lapses_is_released(deployment):
    """A hold that nobody confirms lapses: schedule, deletion, stream, on_cancel"""
    app = deployment.app
    transaction_id, found = app.search()
    # A hold never outlasts the start of its slot, and this doctor has one every two minutes.
    soon = datetime.datetime.now(UTC) + datetime.timedelta(seconds=15)
    start = soon.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
    start += datetime.timedelta(minutes=start.minute % 2)
    item = app.order(found)["items"][0]["id"]
    slot = f"{item}@{start:%Y%m%dT%H%M%SZ}"
    context, held = app.hold(transaction_id, found, app.order(found, slot))
    done = {}

    def lapse():
        try:
            # Up to the slot's start, the schedule's minute, the stream's poll and a retry.
            seconds = (start - datetime.datetime.now(UTC)).total_seconds() + 150
            done["on_cancel"] = app.callback(transaction_id, "on_cancel", seconds=seconds)
            done["at"] = datetime.datetime.now(UTC)
        except Exception as failure:  # shown by whoever waits for it
            done["failure"] = failure

    waiting = threading.Thread(target=lapse, daemon=True)
    waiting.start()
    deployment.lapse = (waiting, done, start, held["id"], slot, (transaction_id, found))
    return f"held {slot}; its lapse is looked at below"


def the_lapse_was_told(deployment):
    """The lapse cancelled the order, told the consumer unasked, and freed the slot"""
    waiting, done, start, order_id, slot, _ = deployment.lapse
    waiting.join()
    if "failure" in done:
        raise done["failure"]
    order = done["on_cancel"]["message"]["order"]
    expect(order["id"] == order_id and order["status"] == "CANCELLED", f"expected it cancelled, found {order}")
    rows = deployment.emulator.client("dynamodb").scan(TableName=f"{deployment.name}-bpp-slots")["Items"]
    expect(
        not [row for row in rows if row["order_id"]["S"] == order_id], f"the row of slot {slot} is still there"
    )
    return f"{(done['at'] - start).total_seconds():.0f} s after the slot's start"


def one_bad_record_fails_alone(deployment):
    """One bad record of a batch fails alone, is retried, and rests in the dead-letter queue"""
    app, emulator = deployment.app, deployment.emulator
    transaction_id, found = app.search()
    context, held = app.hold(transaction_id, found, app.order(found))
    sqs, functions = emulator.client("sqs"), emulator.client("lambda")
    queue = sqs.get_queue_url(QueueName=f"{deployment.name}-bpp-on-status")["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=f"{deployment.name}-bpp-on-status-dlq")["QueueUrl"]
    mapping = emulator.mapping_of(f"{deployment.name}-bpp-on-status")
    # While nothing polls, the good ones and the bad one gather in one batch.
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    messages = [app.send("status", context, {"order_id": held["id"]})[1] for _ in range(3)]
    sqs.send_message(QueueUrl=queue, MessageBody="{}", MessageGroupId="nobody")
    wait_until("four messages on the queue", lambda: depth(sqs, queue) == 4)
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    for message_id in messages:
        app.callback(transaction_id, "on_status", message_id)
    wait_until("the bad record on the dead-letter queue", lambda: depth(sqs, dead) == 1, 180)
    for message_id in messages:
        answers = app.received(transaction_id, "on_status", message_id)
        expect(len(answers) == 1, f"expected one on_status for {message_id}, found {len(answers)}")
    sent = [it for it in deployment.front.requests("/bap/on_status") if transaction_id.encode() in it.body]
    expect(len(sent) == 3, f"expected three deliveries, found {len(sent)}: the good records were repeated")
    record = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"], VisibilityTimeout=0)["Messages"][0]
    expect(record["Body"] == "{}", "the dead letter is not the bad record")
    listed = json.loads(deployment.cli("dlq", "list", "--json"))
    expect("bpp-on-status" in json.dumps(listed), f"dlq list does not show it: {listed}")
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=record["ReceiptHandle"])
    return "3 answered once, 1 dead letter"


def a_dead_letter_is_redriven(deployment):
    """A responder that fails retries, gives up to the dead-letter queue, and after its repair is redriven"""
    app, emulator = deployment.app, deployment.emulator
    transaction_id, found = app.search()
    order = app.order(found)
    context, held = app.hold(transaction_id, found, order)
    functions, sqs = emulator.client("lambda"), emulator.client("sqs")
    name = f"{deployment.name}-bpp-on-confirm"
    # A release that is configured wrongly goes live ...
    good = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    wrong = {**variables, "TABLE_PREFIX": "no-such-deployment-"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": wrong})
    bad = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=bad)
    _, message_id = app.send("confirm", context, {"order": {**order, "id": held["id"]}})
    dead = sqs.get_queue_url(QueueName=f"{name}-dlq")["QueueUrl"]
    wait_until("the request on the dead-letter queue", lambda: depth(sqs, dead) == 1, 240)
    expect(not app.received(transaction_id, "on_confirm"), "answered although its tables are missing")
    shown = json.loads(deployment.cli("dlq", "show", "bpp-on-confirm", "--json"))
    expect(transaction_id in json.dumps(shown), f"dlq show does not name the transaction: {shown}")
    # ... is rolled back, and the operator moves the messages back.
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=good)
    deployment.cli("dlq", "redrive", "bpp-on-confirm")
    confirmed = app.callback(transaction_id, "on_confirm", message_id)
    expect(confirmed["message"]["order"]["status"] == "ACTIVE", f"not booked after the redrive: {confirmed}")
    expect(depth(sqs, dead) == 0, "the dead-letter queue is not empty after the redrive")
    return f"order {held['id']} booked after the redrive"


def an_unreachable_consumer_is_tried_again(deployment):
    """A callback that the consumer cannot take is retried until it can"""
    app, front = deployment.app, deployment.front
    transaction_id, found = app.search()
    context = {"transaction_id": transaction_id, "bpp_id": found["context"]["bpp_id"]}
    front.outages["/bap/on_select"] = 503
    _, message_id = app.send("select", context, {"order": app.order(found)})
    attempts = lambda: [it for it in front.requests("/bap/on_select") if message_id.encode() in it.body]
    wait_until("a second attempt", lambda: len(attempts()) >= 2, 120)
    del front.outages["/bap/on_select"]
    app.callback(transaction_id, "on_select", message_id, 120)
    expect(len({it.body for it in attempts()}) == 1, "the attempts differ in their bytes")
    return f"{len(attempts())} attempts, the last one taken"


def logs_hold_nothing_personal(deployment):
    """The functions' logs are JSON with transaction ids and without anything personal"""
    logs = deployment.emulator.client("logs")
    lines, personal = 0, ("Asha Verma", "9000000001")
    transactions = 0
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/"):
        for group in page["logGroups"]:
            for events in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                for event in events["events"]:
                    message = event["message"]
                    expect(not any(it in message for it in personal), f"{group['logGroupName']}: {message}")
                    lines += 1
                    transactions += "transaction_id" in message
    expect(transactions > 0, f"no line of {lines} names a transaction")
    return f"{lines} lines, {transactions} with a transaction"


def tear_down(emulator, names):
    """Deletes the stacks and looks at what is left."""
    dynamodb, functions = emulator.client("dynamodb"), emulator.client("lambda")
    before = set(dynamodb.list_tables()["TableNames"])
    for name in names:
        stacks.delete(emulator, name)
    left = [it["FunctionName"] for page in functions.get_paginator("list_functions").paginate() for it in page["Functions"]]
    left = [it for it in left if it.startswith("beckn-health-dev-")]
    expect(not left, f"functions are left: {left}")
    lost = before - set(dynamodb.list_tables()["TableNames"])
    expect(not lost, f"tables are lost: {sorted(lost)}")
    return f"{len(before)} tables kept, no function left"


def depth(sqs, queue):
    """Messages on a queue, those being handled included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


ALL = [
    a_forged_message_is_refused,
    a_consultation_is_booked,
    a_hold_that_lapses_is_released,
    one_bad_record_fails_alone,
    a_dead_letter_is_redriven,
    an_unreachable_consumer_is_tried_again,
    the_lapse_was_told,
    logs_hold_nothing_personal,
]
