//! Logical id, binary, trigger and environment of each deployed function.

use std::collections::BTreeSet;

use beckn_health_platform::function::{Function, Trigger};
use serde_json::{Value, json};

use crate::stacks::{PREFIX, Stacks, environment, identity, owner, pascal, physical};
use crate::{Disagreements, reads_what_was_removed, source};

/// Longest an HTTP API waits for a function, in seconds.
const LONGEST_HTTP: u64 = 30;

pub(crate) fn check(stacks: &Stacks) -> Disagreements {
    let mut found = Disagreements::default();
    for function in beckn_health_functions::all() {
        let template = stacks.of(&function);
        let id = format!("{}Function", pascal(function.name));
        let resource = &template["Resources"][&id];
        if resource["Type"] != "AWS::Serverless::Function" {
            found.unless(false, || format!("{}: infra has no function {id}", function.name));
            continue;
        }
        one(&mut found, &function, template, resource);
    }
    let known: BTreeSet<String> =
        beckn_health_functions::all().map(|function| format!("{}Function", pascal(function.name))).collect();
    for (stack, id, _) in stacks.all("AWS::Serverless::Function") {
        found.unless(known.contains(id), || format!("infra/{stack}.yaml: {id} is no function of the project"));
    }
    found
}

fn one(found: &mut Disagreements, function: &Function, template: &Value, resource: &Value) {
    let name = function.name;
    let properties = &resource["Properties"];
    found.differs(&format!("{name}: Binary"), &resource["Metadata"]["BuildProperties"]["Binary"], &json!(name));
    found.differs(&format!("{name}: BuildMethod"), &resource["Metadata"]["BuildMethod"], &json!("rust-cargolambda"));
    found.differs(&format!("{name}: FunctionName"), &properties["FunctionName"], &physical(name));
    let log_group = json!({ "Ref": format!("{}LogGroup", pascal(name)) });
    found.differs(&format!("{name}: log group"), &properties["LoggingConfig"]["LogGroup"], &log_group);
    let group = &template["Resources"][format!("{}LogGroup", pascal(name))]["Properties"]["LogGroupName"];
    found.differs(
        &format!("{name}: LogGroupName"),
        group,
        &json!({ "Fn::Sub": format!("/aws/lambda/{PREFIX}{name}") }),
    );

    let own = properties["Timeout"].as_u64();
    let timeout = own.or_else(|| template["Globals"]["Function"]["Timeout"].as_u64()).unwrap_or(3);
    let events: Vec<&Value> = properties["Events"].as_object().into_iter().flat_map(|events| events.values()).collect();
    let [event] = events.as_slice() else {
        found.unless(false, || format!("{name}: expected exactly one event"));
        return;
    };
    match function.trigger {
        Trigger::Http { route, .. } => {
            found.differs(&format!("{name}: event"), &event["Type"], &json!("HttpApi"));
            let given = (&event["Properties"]["Method"], &event["Properties"]["Path"]);
            found.differs(&format!("{name}: route"), &given, &(&json!(route.method), &json!(route.path)));
            found.unless(timeout < LONGEST_HTTP, || format!("{name}: runs {timeout} s, longer than its API waits"));
            client_route(found, name, template, route.method, route.path);
        }
        Trigger::Queue { queue, timeout_seconds, .. } => {
            found.differs(&format!("{name}: event"), &event["Type"], &json!("SQS"));
            let source = owner(&event["Properties"]["Queue"], "Arn").map(str::to_owned);
            found.differs(&format!("{name}: queue"), &source, &Some(format!("{}Queue", pascal(queue))));
            found.differs(&format!("{name}: Timeout"), &timeout, &u64::from(timeout_seconds));
            let responses = &event["Properties"]["FunctionResponseTypes"];
            found.differs(&format!("{name}: responses"), responses, &json!(["ReportBatchItemFailures"]));
            let concurrency = &event["Properties"]["ScalingConfig"]["MaximumConcurrency"];
            found.unless(!concurrency.is_null(), || format!("{name}: MaximumConcurrency is missing"));
        }
        Trigger::Stream { table, .. } => {
            found.differs(&format!("{name}: event"), &event["Type"], &json!("DynamoDB"));
            let source = owner(&event["Properties"]["Stream"], "StreamArn").map(str::to_owned);
            found.differs(&format!("{name}: stream"), &source, &Some(format!("{}Table", pascal(table))));
            let filters = &event["Properties"]["FilterCriteria"]["Filters"];
            let wanted = match reads_what_was_removed(name) {
                true => json!([{ "Pattern": r#"{"eventName":["REMOVE"]}"# }]),
                false => Value::Null,
            };
            found.differs(&format!("{name}: changes it hears of"), filters, &wanted);
            // A handler takes a batch as a whole.
            let responses = &event["Properties"]["FunctionResponseTypes"];
            found.differs(&format!("{name}: responses"), responses, &Value::Null);
            let halved = &event["Properties"]["BisectBatchOnFunctionError"];
            found.differs(&format!("{name}: halves a batch that fails"), halved, &json!(true));
            let retries = event["Properties"]["MaximumRetryAttempts"].as_i64().unwrap_or(-1);
            found.unless(retries > 0, || format!("{name}: one batch that fails holds up the stream until it lapses"));
        }
        Trigger::Schedule { every_minutes, .. } => schedule(found, name, properties, event, every_minutes, timeout),
    }
    variables(found, function, template, resource);
}

/// The clock invokes it as often as its constant says; no run lasts, or is made up for, beyond the next one.
fn schedule(
    found: &mut Disagreements,
    name: &str,
    properties: &Value,
    event: &Value,
    every_minutes: u32,
    timeout: u64,
) {
    found.differs(&format!("{name}: event"), &event["Type"], &json!("ScheduleV2"));
    found.differs(&format!("{name}: schedule's name"), &event["Properties"]["Name"], &physical(name));
    let unit = if every_minutes == 1 { "minute" } else { "minutes" };
    let expression = json!(format!("rate({every_minutes} {unit})"));
    found.differs(&format!("{name}: schedule"), &event["Properties"]["ScheduleExpression"], &expression);
    let state = event["Properties"]["State"].as_str().unwrap_or("ENABLED");
    found.differs(&format!("{name}: state of its schedule"), &state, &"ENABLED");
    let pause = u64::from(every_minutes) * 60;
    found.unless(timeout < pause, || format!("{name}: runs {timeout} s, into the next run"));
    for (what, limits) in
        [("schedule", &event["Properties"]["RetryPolicy"]), ("function", &properties["EventInvokeConfig"])]
    {
        let age = &limits["MaximumEventAgeInSeconds"];
        found.differs(&format!("{name}: seconds its {what} makes up for a run"), age, &json!(pause));
    }
    let retries = &properties["EventInvokeConfig"]["MaximumRetryAttempts"];
    found.differs(&format!("{name}: repetitions of a run that failed"), retries, &json!(0));
}

/// The app's own routes ask for a token when the deployment names an issuer; a route that the API's
/// definition does not write out would be open.
fn client_route(found: &mut Disagreements, name: &str, template: &Value, method: &str, path: &str) {
    if path.starts_with("/client/") {
        let paths = &template["Resources"]["BapApi"]["Properties"]["DefinitionBody"]["paths"];
        let security = &paths[path][method.to_lowercase()]["security"]["Fn::If"];
        let token = security[0] == "HasClientJwt" && security[1] == json!([{ "ClientJwt": [] }]);
        found.unless(token, || format!("{name}: {method} {path} asks for no token in BapApi"));
    }
}

/// Every variable the code reads is given as the code needs it, and none that nobody reads.
fn variables(found: &mut Disagreements, function: &Function, template: &Value, resource: &Value) {
    let name = function.name;
    let given = environment(template, resource);
    let role = name.split('-').next().unwrap();
    let read = variables_read();
    for variable in given.keys() {
        // RUST_LOG is read by the subscriber of `tracing`.
        let known = variable == "RUST_LOG" || read.contains(variable);
        found.unless(known, || format!("{name}: nobody reads the variable {variable}"));
    }
    let expected = [
        ("TABLE_PREFIX", json!({ "Fn::Sub": PREFIX })),
        (
            "QUEUE_URL_PREFIX",
            json!({ "Fn::Sub": format!("https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{AWS::AccountId}}/{PREFIX}") }),
        ),
        ("SUBSCRIBER_ID", json!({ "Ref": format!("{}SubscriberId", identity(name)) })),
        // The registry is reached where everyone else is told it is.
        ("SUBSCRIBER_URL", json!({ "Ref": if role == "registry" { "RegistryUrl" } else { "SubscriberUrl" } })),
        ("KEY_ID", json!({ "Ref": format!("{}KeyId", identity(name)) })),
        ("READING", json!({ "Ref": "Reading" })),
        ("STRICT_SUBSCRIBERS", json!({ "Ref": "StrictSubscribers" })),
        (
            "SUBSCRIBER_TYPE",
            json!(match role {
                "bpp" => "BPP",
                "bap" => "BAP",
                "gateway" => "BG",
                _ => "BREG",
            }),
        ),
    ];
    for (variable, value) in &expected {
        let found_value = given.get(*variable).cloned().unwrap_or_default();
        found.differs(&format!("{name}: variable {variable}"), &found_value, value);
    }
    // The registry looks into its own table; everyone else must be told where it is.
    let registry = given.get("REGISTRY_URL").cloned().unwrap_or_default();
    let wanted = if role == "registry" { Value::Null } else { json!({ "Ref": "RegistryUrl" }) };
    found.differs(&format!("{name}: variable REGISTRY_URL"), &registry, &wanted);
    let gateway = given.get("GATEWAY_URL").cloned().unwrap_or_default();
    if name == "bap-search" {
        found.differs(&format!("{name}: variable GATEWAY_URL"), &gateway, &json!({ "Ref": "GatewayUrl" }));
    }
    let private = given.contains_key("ALLOW_PRIVATE_ADDRESSES");
    found.unless(!private, || format!("{name}: a deployment must not deliver to private addresses"));
}

/// The names of all variables that `Settings` and `Deps` read, from their source.
fn variables_read() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in ["shared/platform/src/settings.rs", "shared/platform/src/deps.rs"] {
        for literal in source(path).split('"').skip(1).step_by(2) {
            let is_name = literal.len() > 3 && literal.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            if is_name {
                names.insert(literal.to_owned());
            }
        }
    }
    names
}
