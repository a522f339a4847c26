//! What each function's role may do, against the tables and queues its constant names.

use std::collections::{BTreeMap, BTreeSet};

use beckn_health_platform::function::{Function, Trigger};
use beckn_health_platform::store::replies::ClaimKey;
use beckn_health_platform::store::table;
use beckn_health_protocol::action::Action;
use beckn_health_protocol::ids::{MessageId, SubscriberId};
use serde_json::{Value, json};

use crate::stacks::{Stacks, environment, identity, listed, owner, pascal};
use crate::{Disagreements, actions};

/// What a policy allows, in the words of the constants.
#[derive(Default)]
struct Allowed {
    /// Logical ids of the tables that may be read or written.
    tables: BTreeSet<String>,
    /// What may be done to the items of each of them.
    actions: BTreeMap<String, BTreeSet<String>>,
    /// The partitions of a table that may be used, by the pattern of their keys; all of them if absent.
    partitions: BTreeMap<String, String>,
    /// Indexes that may be queried, as `<logical id of the table>/<index>`.
    indexes: BTreeSet<String>,
    /// Logical ids of the queues that may be sent to.
    sends: BTreeSet<String>,
    /// Logical ids of the queues whose messages may be made visible.
    visibility: BTreeSet<String>,
    /// The parameter that names the secret that may be read.
    secret: Option<String>,
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
        let given = environment(template, resource).get("SIGNING_KEY_SECRET").cloned().unwrap_or_default();
        let given = given["Ref"].as_str().map(str::to_owned);
        found.differs(&format!("{}: SIGNING_KEY_SECRET", function.name), &given, &allowed.secret);
        let own = format!("{}SigningKeySecretArn", identity(function.name));
        found.unless(given.as_ref().is_none_or(|given| *given == own), || {
            format!("{}: SIGNING_KEY_SECRET is not its own, {own}", function.name)
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
                        allowed.secret = resource["Ref"].as_str().map(str::to_owned);
                        allowed.secret.is_some()
                    }
                    (_, Some("dynamodb")) if index(resource).is_some() => {
                        let id = suffixed(resource, "Table").map(|id| allowed.tables.insert(id));
                        allowed.indexes.extend(index(resource).map(|(id, name)| format!("{id}/{name}")));
                        id.is_some() && action == "dynamodb:Query"
                    }
                    (_, Some("dynamodb")) => suffixed(resource, "Table")
                        .map(|id| {
                            allowed.tables.insert(id.clone());
                            let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
                            allowed.partitions.extend(keys.as_str().map(|keys| (id.clone(), keys.to_owned())));
                            allowed.actions.entry(id).or_default().insert(action.to_owned());
                        })
                        .is_some(),
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
    for table in function.tables {
        let id = format!("{}Table", pascal(table));
        let granted = allowed.actions.get(&id).cloned().unwrap_or_default();
        found.sets(&format!("{name}: actions on {table}"), &granted, &actions::of(function, table));
        let partitions = allowed.partitions.get(&id).cloned();
        found.differs(&format!("{name}: partitions of {table}"), &partitions, &partition(name, table));
    }
    found.sets(&format!("{name}: queues it may send to"), &allowed.sends, &ids(function.sends_to, "Queue"));
    let own = match function.trigger {
        Trigger::Queue { queue, .. } => ids(&[queue], "Queue"),
        Trigger::Http { .. } | Trigger::Stream { .. } | Trigger::Schedule { .. } => BTreeSet::new(),
    };
    found.sets(&format!("{name}: queues whose messages it may put back"), &allowed.visibility, &own);
}

/// Where a function uses some partitions of a table alone, the pattern of their keys.
fn partition(function: &str, table: &str) -> Option<String> {
    // A claim is on a message of the action answered, or on a lapse; bpp-dispatch marks replies of any.
    if table == table::REPLIES {
        let claim = match function.strip_prefix("bpp-on-") {
            Some(action) => {
                let action: Action = action.parse().unwrap();
                let message = MessageId::parse("5f1c2a34-9b0e-4d6f-8a71-3c2b1d0e9f85").unwrap();
                ClaimKey::new(&SubscriberId::parse("bap.example").unwrap(), action, &message)
            }
            None if function == "bpp-expire" => ClaimKey::lapse("order", 0),
            None => return None,
        };
        return claim.as_str().split_once('#').map(|(kind, _)| format!("{kind}#*"));
    }
    // An item is looked up in its facility; bpp-index rebuilds from everything.
    (table == table::CATALOGUE && function != "bpp-index").then(|| "facility#*".to_owned())
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
