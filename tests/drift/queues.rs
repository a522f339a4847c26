//! Queues and their dead-letter queues.

use std::collections::BTreeSet;

use beckn_health_platform::function::{Function, Trigger};
use serde_json::{Value, json};

use crate::Disagreements;
use crate::stacks::{Stacks, owner, pascal, physical};

/// How long a dead-letter queue keeps what was given up, in seconds: as long as SQS can.
const FOURTEEN_DAYS: u64 = 14 * 24 * 60 * 60;

pub(crate) fn check(stacks: &Stacks) -> Disagreements {
    let mut found = Disagreements::default();
    let mut known = BTreeSet::new();
    for function in beckn_health_functions::all() {
        match function.trigger {
            // What a scheduled run left undone the next one does; there is nothing to keep.
            Trigger::Http { .. } | Trigger::Schedule { .. } => {}
            Trigger::Queue { queue, timeout_seconds, max_receive_count, .. } => {
                let template = stacks.of(&function);
                known.insert(format!("{}Queue", pascal(queue)));
                known.insert(format!("{}Dlq", pascal(queue)));
                one(&mut found, template, queue, timeout_seconds, max_receive_count);
            }
            Trigger::Stream { .. } => {
                known.insert(format!("{}Dlq", pascal(function.name)));
                stream(&mut found, stacks.of(&function), &function);
            }
        }
    }
    for function in beckn_health_functions::all() {
        for queue in function.sends_to {
            let served = known.contains(&format!("{}Queue", pascal(queue)));
            found.unless(served, || format!("{}: sends to {queue}, which no function takes from", function.name));
        }
    }
    for (stack, id, _) in stacks.all("AWS::SQS::Queue") {
        found.unless(known.contains(id), || format!("infra/{stack}.yaml: {id} is the queue of no function"));
    }
    found
}

fn one(found: &mut Disagreements, template: &Value, queue: &str, timeout_seconds: u32, max_receive_count: u32) {
    let properties = &template["Resources"][format!("{}Queue", pascal(queue))]["Properties"];
    found.differs(&format!("queue {queue}: name"), &properties["QueueName"], &physical(queue));
    let (least, visibility) = (6 * u64::from(timeout_seconds), properties["VisibilityTimeout"].as_u64().unwrap_or(30));
    found.unless(visibility >= least, || {
        format!("queue {queue}: visibility is {visibility} s, expected {least} or more")
    });
    let redrive = &properties["RedrivePolicy"];
    found.differs(&format!("queue {queue}: maxReceiveCount"), &redrive["maxReceiveCount"], &json!(max_receive_count));
    encrypted(found, queue, properties);
    dead_letters(found, template, queue, owner(&redrive["deadLetterTargetArn"], "Arn"));
}

/// The batches that a stream function failed on are noted on a dead-letter queue of its own.
fn stream(found: &mut Disagreements, template: &Value, function: &Function) {
    let events = &template["Resources"][format!("{}Function", pascal(function.name))]["Properties"]["Events"];
    let target = events.as_object().and_then(|events| events.values().next()).map(|event| {
        let destination = &event["Properties"]["DestinationConfig"]["OnFailure"];
        found.differs(&format!("{}: kind of its OnFailure", function.name), &destination["Type"], &json!("SQS"));
        destination["Destination"].clone()
    });
    dead_letters(found, template, function.name, target.as_ref().and_then(|target| owner(target, "Arn")));
}

fn dead_letters(found: &mut Disagreements, template: &Value, queue: &str, target: Option<&str>) {
    let id = format!("{}Dlq", pascal(queue));
    found.differs(&format!("queue {queue}: dead-letter queue"), &target, &Some(id.as_str()));
    let properties = &template["Resources"][&id]["Properties"];
    found.differs(&format!("queue {queue}-dlq: name"), &properties["QueueName"], &physical(&format!("{queue}-dlq")));
    found.differs(
        &format!("queue {queue}-dlq: retention"),
        &properties["MessageRetentionPeriod"],
        &json!(FOURTEEN_DAYS),
    );
    encrypted(found, &format!("{queue}-dlq"), properties);
}

/// Messages hold health data: they rest under the stack's key.
fn encrypted(found: &mut Disagreements, queue: &str, properties: &Value) {
    let key = &properties["KmsMasterKeyId"];
    found.differs(&format!("queue {queue}: key"), key, &json!({ "Fn::GetAtt": "Key.Arn" }));
}
