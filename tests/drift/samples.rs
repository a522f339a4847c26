//! A folder of sample events for each function and none else; each event is of its function's kind.

use std::collections::BTreeSet;

use beckn_health_platform::function::Trigger;
use serde_json::Value;

use crate::{Disagreements, root};

pub(crate) fn check() -> Disagreements {
    let mut found = Disagreements::default();
    let events = root().join("events");
    let folders: BTreeSet<String> = std::fs::read_dir(&events)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let functions: BTreeSet<String> = beckn_health_functions::all().map(|function| function.name.to_owned()).collect();
    found.sets("events/", &folders, &functions);
    for function in beckn_health_functions::all().filter(|function| folders.contains(function.name)) {
        let mut cases = 0;
        for entry in std::fs::read_dir(events.join(function.name)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("events/{}/{}", function.name, path.file_name().unwrap().to_string_lossy());
            found.unless(path.extension().is_some_and(|it| it == "json"), || format!("{name}: is no JSON file"));
            let event: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap_or_default();
            match function.trigger {
                Trigger::Http { route, .. } => {
                    let key = format!("{} {}", route.method, route.path);
                    found.differs(&format!("{name}: routeKey"), &event["routeKey"], &Value::from(key));
                }
                Trigger::Queue { queue, .. } => sources(&mut found, &name, &event, "aws:sqs", &format!("-{queue}")),
                Trigger::Stream { table, .. } => {
                    sources(&mut found, &name, &event, "aws:dynamodb", &format!("-{table}/stream/"));
                }
                Trigger::Schedule { .. } => {
                    found.differs(&format!("{name}: source"), &event["source"], &Value::from("aws.scheduler"));
                    let given = event["resources"][0].as_str().unwrap_or_default();
                    let own = given.contains(":schedule/") && given.ends_with(&format!("-{}", function.name));
                    found.unless(own, || format!("{name}: comes from {given}"));
                }
            }
            cases += 1;
        }
        found.unless(cases > 0, || format!("events/{}: holds no case", function.name));
    }
    found
}

/// Every record comes from the function's own queue or stream.
fn sources(found: &mut Disagreements, name: &str, event: &Value, source: &str, arn: &str) {
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    found.unless(!records.is_empty(), || format!("{name}: has no records"));
    for record in records {
        found.differs(&format!("{name}: eventSource"), &record["eventSource"], &Value::from(source));
        let given = record["eventSourceARN"].as_str().unwrap_or_default();
        let own = if source == "aws:sqs" { given.ends_with(arn) } else { given.contains(arn) };
        found.unless(own, || format!("{name}: comes from {given}"));
    }
}
