//! What each function's role may do, against the tables and queues its constant names.

use std::collections::BTreeSet;

use beckn_health_platform::function::{Function, Trigger};
use serde_json::{Value, json};

use crate::Disagreements;
use crate::stacks::{Stacks, environment, listed, owner, pascal};

/// What a policy allows, in the words of the constants.
#[derive(Default)]
struct Allowed {
    /// Logical ids of the tables that may be read or written.
    tables: BTreeSet<String>,
    /// Indexes that may be queried, as `<logical id of the table>/<index>`.
    indexes: BTreeSet<String>,
    /// Logical ids of the queues that may be sent to.
    sends: BTreeSet<String>,
    /// Logical ids of the queues whose messages may be made visible.
    visibility: BTreeSet<String>,
    /// Whether the signing key may be read.
    signs: bool,
}

pub(crate) fn check(stacks: &Stacks) -> Disagreements {
    let mut found = Disagreements::default();
    let mut queried = BTreeSet::new();
    for function in beckn_health_functions::all() {
        let template = stacks.of(&function);
        let resource = &template["Resources"][format!("{}Function", pascal(function.name))];
        let statements: Vec<&Value> = listed(&resource["Properties"]["Policies"])
            .into_iter()
            .flat_map(|policy| listed(&policy["Statement"]))
            .collect();
        let allowed = allowed(&mut found, function.name, &statements);
        compare(&mut found, &function, &allowed);
        queried.extend(allowed.indexes);
        denials(&mut found, &function, &statements);
        let secret = environment(template, resource).get("SIGNING_KEY_SECRET").cloned().unwrap_or_default();
        let given = !secret.is_null() && secret != "";
        found.unless(given == allowed.signs, || {
            format!(
                "{}: SIGNING_KEY_SECRET given: {given}, its policy lets it read the secret: {}",
                function.name, allowed.signs
            )
        });
    }
    let mut indexes = BTreeSet::new();
    for (_, id, table) in stacks.all("AWS::DynamoDB::Table") {
        let names = listed(&table["Properties"]["GlobalSecondaryIndexes"]).into_iter();
        indexes.extend(names.map(|index| format!("{id}/{}", index["IndexName"].as_str().unwrap_or_default())));
    }
    found.sets("indexes that functions may query", &queried, &indexes);
    found
}

fn allowed(found: &mut Disagreements, name: &str, statements: &[&Value]) -> Allowed {
    let mut allowed = Allowed::default();
    for statement in statements.iter().filter(|statement| statement["Effect"] == "Allow") {
        let resources = listed(&statement["Resource"]);
        found.unless(!resources.is_empty(), || format!("{name}: a statement names no resource"));
        for action in listed(&statement["Action"]) {
            let action = action.as_str().unwrap_or_default();
            found.unless(!action.contains('*'), || format!("{name}: {action} allows more than it names"));
            for resource in &resources {
                let understood = match (action, action.split(':').next()) {
                    ("sqs:SendMessage", _) => suffixed(resource, "Queue").map(|id| allowed.sends.insert(id)).is_some(),
                    ("sqs:ChangeMessageVisibility", _) => {
                        suffixed(resource, "Queue").map(|id| allowed.visibility.insert(id)).is_some()
                    }
                    ("secretsmanager:GetSecretValue", _) => {
                        allowed.signs = true;
                        **resource == json!({ "Ref": "SigningKeySecretArn" })
                    }
                    (_, Some("dynamodb")) if index(resource).is_some() => {
                        let id = suffixed(resource, "Table").map(|id| allowed.tables.insert(id));
                        allowed.indexes.extend(index(resource).map(|(id, name)| format!("{id}/{name}")));
                        id.is_some() && action == "dynamodb:Query"
                    }
                    (_, Some("dynamodb")) => suffixed(resource, "Table").map(|id| allowed.tables.insert(id)).is_some(),
                    // A stream whose batches failed leaves a note of them on its dead-letter queue.
                    _ => false,
                };
                found.unless(understood, || format!("{name}: may {action} on {resource}, which no constant names"));
            }
        }
    }
    allowed
}

/// Table and index in `!Sub ${<id>.Arn}/index/<index>`.
fn index(resource: &Value) -> Option<(&str, &str)> {
    resource["Fn::Sub"].as_str()?.strip_prefix("${")?.split_once(".Arn}/index/")
}

/// The logical id in `!GetAtt <id>.Arn` or in `!Sub ${<id>.Arn}/index/…`, if it ends as its kind does.
fn suffixed(resource: &Value, kind: &str) -> Option<String> {
    let id = owner(resource, "Arn").or(index(resource).map(|(id, _)| id))?;
    id.ends_with(kind).then(|| id.to_owned())
}

fn compare(found: &mut Disagreements, function: &Function, allowed: &Allowed) {
    let name = function.name;
    let ids = |names: &[&str], kind: &str| -> BTreeSet<String> {
        names.iter().map(|name| format!("{}{kind}", pascal(name))).collect()
    };
    found.sets(&format!("{name}: tables it may use"), &allowed.tables, &ids(function.tables, "Table"));
    found.sets(&format!("{name}: queues it may send to"), &allowed.sends, &ids(function.sends_to, "Queue"));
    let own = match function.trigger {
        Trigger::Queue { queue, .. } => ids(&[queue], "Queue"),
        Trigger::Http { .. } | Trigger::Stream { .. } | Trigger::Schedule { .. } => BTreeSet::new(),
    };
    found.sets(&format!("{name}: queues whose messages it may put back"), &allowed.visibility, &own);
}

/// SAM attaches a managed policy to functions of queues and streams that may read any of them; each
/// such function denies itself all but its own.
fn denials(found: &mut Disagreements, function: &Function, statements: &[&Value]) {
    let (actions, own): (&[&str], _) = match function.trigger {
        Trigger::Http { .. } | Trigger::Schedule { .. } => return,
        Trigger::Queue { queue, .. } => (
            &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"],
            format!("{}Queue.Arn", pascal(queue)),
        ),
        Trigger::Stream { table, .. } => (
            &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
            format!("{}Table.StreamArn", pascal(table)),
        ),
    };
    let denied = statements.iter().any(|statement| {
        let named = listed(&statement["Action"]);
        statement["Effect"] == "Deny"
            && statement["NotResource"] == json!({ "Fn::GetAtt": own })
            && actions.iter().all(|action| named.iter().any(|name| *name == action))
    });
    found.unless(denied, || format!("{}: does not deny itself what is not {own}", function.name));
}
